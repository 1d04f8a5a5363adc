#!/usr/bin/env python3
"""Writes the small ONNX files of this folder. Needs onnx.

Each is D(x, sigma) for data N(1, 0.5^2) with samples [1, 2, 2]: x w + (1 - w) mean, w = 0.25/(0.25 + sigma^2).
"""

import pathlib

import numpy
import onnx
from onnx import TensorProto, helper

SAMPLE = [1, 2, 2]


def write(name, batch, dtype=TensorProto.FLOAT, label_type=TensorProto.FLOAT, label_shape=None, offset=False,
          feature=False):
    """
    batch        samples of a run; text: any number
    label_shape  [batch] by default
    offset       a further input `offset` [batch, 1, 2, 2]: the mean
    feature      a second output `feature` [batch, 4]: x w
    """
    constants = {"column": numpy.array([-1, 1, 1, 1]), "flat": numpy.array([0, -1]),
                 "quarter": numpy.float32(0.25), "one": numpy.float32(1)}
    nodes = [("Cast", ["x"], "float_x", {"to": TensorProto.FLOAT}), ("Cast", ["sigma"], "s", {"to": TensorProto.FLOAT}),
             ("Reshape", ["s", "column"], "level", {}), ("Mul", ["level", "level"], "square", {}),
             ("Add", ["square", "quarter"], "total", {}), ("Div", ["quarter", "total"], "w", {}),
             ("Mul", ["float_x", "w"], "kept", {}), ("Sub", ["one", "w"], "rest", {})]
    if offset:
        nodes.append(("Mul", ["rest", "offset"], "moved", {}))
    nodes += [("Add", ["kept", "moved" if offset else "rest"], "sum", {}), ("Cast", ["sum"], "denoised", {"to": dtype})]
    inputs = [("x", dtype, [batch, *SAMPLE]), ("sigma", label_type, [batch] if label_shape is None else label_shape)]
    outputs = [("denoised", dtype, [batch, *SAMPLE])]
    if offset:
        inputs.append(("offset", TensorProto.FLOAT, [batch, *SAMPLE]))
    if feature:
        nodes.append(("Reshape", ["kept", "flat"], "feature", {}))
        outputs.append(("feature", TensorProto.FLOAT, [batch, 4]))
    used = {i for _, ins, _, _ in nodes for i in ins}
    graph = helper.make_graph(
        [helper.make_node(kind, ins, [out], **settings) for kind, ins, out, settings in nodes], name,
        [helper.make_tensor_value_info(*i) for i in inputs], [helper.make_tensor_value_info(*o) for o in outputs],
        [onnx.numpy_helper.from_array(numpy.asarray(v), k) for k, v in constants.items() if k in used])
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)], ir_version=8)
    onnx.checker.check_model(model)
    onnx.save(model, pathlib.Path(__file__).with_name(name + ".onnx"))


if __name__ == "__main__":
    write("any_batch", "batch", offset=True, feature=True)
    write("three", 3, feature=True)
    write("half_scalar", "batch", TensorProto.FLOAT16, TensorProto.INT64, [])
    write("double_one", "batch", TensorProto.DOUBLE, TensorProto.DOUBLE, [1])
