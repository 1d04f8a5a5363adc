#!/usr/bin/env python3
"""Writes the policy's network as an ONNX file, with conditions to draw plans for: policy.onnx, policy_condition.npy and
policy_no_condition.npy, from policy.safetensors. Needs onnx.

It compares the file in ONNX's reference implementation with the formula of examples/policy/network.hpp and fails where
they differ by more than 1e-5.
"""

import json
import math
import pathlib

import numpy
import onnx
from onnx import TensorProto, helper
from onnx.reference import ReferenceEvaluator

FOLDER = pathlib.Path(__file__).resolve().parent
POSES, NUMBERS, WAVES = 16, 7, 8
LAYERS = ["input", "hidden_1", "hidden_2", "output"]

# Pose now and goal: x, y, height, three angles, gripper. The post stands at x = y = 0.
CONDITIONS = numpy.array([[-0.9, 0.1, 0.5, 0, 0.2, -0.4, -1, 0.8, 0, -0.5, 0.3, 0, 0.4, 1],
                          [-0.8, -0.2, 0, 0.5, 0, 0, 1, 0.9, 0.2, 0, -0.5, 0.5, 0, -1],
                          [-0.75, 0, -0.5, 0, 0, 0, 0, 0.75, 0, 0.5, 0, 0, 0, 0],
                          [-0.1, 0.45, 0.2, 0.1, 0, -0.2, 0, 0.85, -0.1, 0.6, 0.2, -0.3, 0.4, 1]], numpy.float32)


def read_safetensors(path):
    """Half-precision tensors by name."""
    data = path.read_bytes()
    begin = 8 + int.from_bytes(data[:8], "little")
    entries = {name: e for name, e in json.loads(data[8:begin]).items() if name != "__metadata__"}
    return {name: numpy.frombuffer(data[begin:][slice(*e["data_offsets"])], numpy.float16).reshape(e["shape"])
            for name, e in entries.items()}


def formula(weights, x, label, condition):
    """The network of examples/policy/network.hpp."""
    def layer(name, h):
        return h @ weights[name + ".weight"].astype(numpy.float64).T + weights[name + ".bias"]

    def silu(h):
        return h / (1 + numpy.exp(-h))

    angles = label[:, None] * math.pi / 2 * numpy.arange(1, WAVES + 1)
    numbers = x.reshape(len(x), -1)
    h = silu(layer("input", numpy.concatenate([numbers, condition, numpy.sin(angles), numpy.cos(angles)], 1)))
    for name in LAYERS[1:3]:
        h = h + silu(layer(name, h))
    return layer("output", h).reshape(x.shape)


def network(weights):
    """(x [B, 16, 7], label [B], condition [B, 14]) -> output [B, 16, 7], with weights in half precision."""
    constants = {"flat": numpy.array([0, -1]), "column": numpy.array([-1, 1]),
                 "plan": numpy.array([-1, POSES, NUMBERS]),
                 "rates": (math.pi / 2 * numpy.arange(1, WAVES + 1)).astype(numpy.float32), **weights}
    nodes = [helper.make_node("Cast", [name], ["float " + name], to=TensorProto.FLOAT) for name in weights]

    def add(kind, inputs, output, **settings):
        nodes.append(helper.make_node(kind, inputs, [output], **settings))
        return output

    def layer(name, h):
        return add("Gemm", [h, f"float {name}.weight", f"float {name}.bias"], name, transB=1)

    def silu(h):
        return add("Mul", [h, add("Sigmoid", [h], h + " gate")], h + " silu")

    angles = add("Mul", [add("Reshape", ["label", "column"], "level"), "rates"], "angles")
    parts = [add("Reshape", ["x", "flat"], "numbers"), "condition", add("Sin", [angles], "sines"),
             add("Cos", [angles], "cosines")]
    h = silu(layer("input", add("Concat", parts, "all", axis=1)))
    for name in LAYERS[1:3]:
        h = add("Add", [h, silu(layer(name, h))], name + " sum")
    add("Reshape", [layer("output", h), "plan"], "F")

    def port(name, *shape):
        return helper.make_tensor_value_info(name, TensorProto.FLOAT, ["batch", *shape])

    inputs = [port("x", POSES, NUMBERS), port("label"), port("condition", 2 * NUMBERS)]
    graph = helper.make_graph(nodes, "policy", inputs, [port("F", POSES, NUMBERS)],
                              [onnx.numpy_helper.from_array(v, k) for k, v in constants.items()])
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)], ir_version=8)
    onnx.checker.check_model(model)
    return model


def main():
    weights = read_safetensors(FOLDER / "policy.safetensors")
    model = network(weights)
    random = numpy.random.default_rng(0)
    x = random.standard_normal((len(CONDITIONS), POSES, NUMBERS)).astype(numpy.float32)
    label = random.uniform(-1, 0.6, len(x)).astype(numpy.float32)
    output = ReferenceEvaluator(model).run(None, {"x": x, "label": label, "condition": CONDITIONS})[0]
    difference = abs(output - formula(weights, x, label, CONDITIONS)).max()
    print(f"largest difference between the ONNX file and the formula: {difference:.1e}")
    if difference > 1e-5:
        raise SystemExit("nothing was written")
    onnx.save(model, FOLDER / "policy.onnx")
    numpy.save(FOLDER / "policy_condition.npy", CONDITIONS)
    numpy.save(FOLDER / "policy_no_condition.npy", numpy.zeros(2 * NUMBERS, numpy.float32))


if __name__ == "__main__":
    main()
