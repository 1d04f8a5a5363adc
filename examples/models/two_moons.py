#!/usr/bin/env python3
"""Trains a flow on points of two half-circles and exports it: two_moons.onnx. Needs PyTorch 2.6 and onnxscript.

The velocity noise - data of x_t = (1 - t) data + t noise, by a network of 9,666 weights.
"""

import math
import pathlib

import torch
from torch import nn


class Velocity(nn.Module):
    """(x [B, 2], t [B]) -> velocity [B, 2]"""

    def __init__(self, width=64, waves=8):
        super().__init__()
        self.register_buffer("rates", math.pi / 2 * torch.arange(1, waves + 1))
        self.layers = nn.Sequential(nn.Linear(2 + 2 * waves, width), nn.SiLU(), nn.Linear(width, width), nn.SiLU(),
                                    nn.Linear(width, width), nn.SiLU(), nn.Linear(width, 2))

    def forward(self, x, t):
        angles = t[:, None] * self.rates
        return self.layers(torch.cat([x, angles.sin(), angles.cos()], 1))


def moons(count, generator):
    """Points on two half-circles that reach into each other, with a standard deviation of about 1 per axis."""
    angle = math.pi * torch.rand(count, generator=generator)
    upper = torch.rand(count, generator=generator) < 0.5
    x = torch.where(upper, angle.cos(), 1 - angle.cos()) - 0.5
    y = torch.where(upper, angle.sin(), 0.5 - angle.sin()) - 0.25
    points = torch.stack([x, y], 1) + 0.06 * torch.randn(count, 2, generator=generator)
    return points / torch.tensor([0.87, 0.5])


def main():
    generator = torch.Generator().manual_seed(0)
    torch.manual_seed(0)
    network, steps = Velocity(), 20000
    optimizer = torch.optim.Adam(network.parameters(), 2e-3)
    schedule = torch.optim.lr_scheduler.CosineAnnealingLR(optimizer, steps)
    for _ in range(steps):
        data, noise = moons(512, generator), torch.randn(512, 2, generator=generator)
        t = torch.rand(512, generator=generator)
        x = (1 - t[:, None]) * data + t[:, None] * noise
        loss = (network(x, t) - (noise - data)).square().mean()
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
        schedule.step()
    batch = torch.export.Dim("batch")
    program = torch.onnx.export(network.eval(), (torch.zeros(2, 2), torch.zeros(2)), dynamo=True, external_data=False,
                                input_names=["x", "t"], output_names=["velocity"],
                                dynamic_shapes=({0: batch}, {0: batch}))
    model = program.model_proto
    for part in (model, model.graph, *model.graph.node, *model.graph.input, *model.graph.output, *model.graph.value_info):
        del part.metadata_props[:]  # where the code lay that made the file
    pathlib.Path(__file__).with_suffix(".onnx").write_bytes(model.SerializeToString())


if __name__ == "__main__":
    main()
