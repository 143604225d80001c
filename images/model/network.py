"""EfficientNet-lite0 as an OpenVINO graph, batch norms folded into the convolutions."""

import numpy as np
import openvino as ov
import openvino.opset13 as op
from openvino.preprocess import ColorFormat, PrePostProcessor

# Repeats, kernel size, stride of the first repeat, output channels of each stage.
STAGES = [(1, 3, 1, 16), (2, 3, 2, 24), (2, 5, 2, 40), (3, 3, 2, 80), (3, 5, 1, 112), (4, 5, 2, 192), (1, 3, 1, 320)]
EPSILON = 1e-3


def build(weights):
    """{name: array} -> model with input `data` FP32 [n,3,224,224] and output `prob` FP32 [n,1000]."""

    def constant(array):
        return op.constant(np.ascontiguousarray(array, dtype=np.float32))

    def convolution(x, kernel, norm, stride=1, depthwise=False, relu6=True):
        gamma, beta, mean, variance = (weights[f"{norm}.{part}"] for part in ("weight", "bias", "running_mean", "running_var"))
        scale = gamma / np.sqrt(variance + EPSILON)
        folded = weights[kernel] * scale[:, None, None, None]
        how = dict(strides=[stride] * 2, pads_begin=[0, 0], pads_end=[0, 0], dilations=[1, 1], auto_pad="same_upper")
        if depthwise:
            x = op.group_convolution(x, constant(folded[:, None]), **how)
        else:
            x = op.convolution(x, constant(folded), **how)
        x = op.add(x, constant((beta - mean * scale).reshape(1, -1, 1, 1)))
        return op.clamp(x, 0.0, 6.0) if relu6 else x

    data = op.parameter([-1, 3, 224, 224], np.float32, name="data")
    x = convolution(data, "_conv_stem.weight", "_bn0", stride=2)
    channels, index = 32, 0
    for repeats, _kernel, first_stride, out_channels in STAGES:
        for repeat in range(repeats):
            block = f"_blocks.{index}"
            stride = first_stride if repeat == 0 else 1
            y = x
            if f"{block}._expand_conv.weight" in weights:
                y = convolution(y, f"{block}._expand_conv.weight", f"{block}._bn0")
            y = convolution(y, f"{block}._depthwise_conv.weight", f"{block}._bn1", stride, depthwise=True)
            y = convolution(y, f"{block}._project_conv.weight", f"{block}._bn2", relu6=False)
            x = op.add(x, y) if stride == 1 and channels == out_channels else y
            channels, index = out_channels, index + 1
    x = convolution(x, "_conv_head.weight", "_bn1")
    x = op.reduce_mean(x, op.constant(np.array([2, 3])), keep_dims=False)
    x = op.add(op.matmul(x, constant(weights["_fc.weight"]), False, True), constant(weights["_fc.bias"].reshape(1, -1)))
    prob = op.softmax(x, 1)
    prob.output(0).get_tensor().set_names({"prob"})
    model = ov.Model([prob], [data], "efficientnet-lite0")
    model.inputs[0].get_tensor().set_names({"data"})
    return model


def of_pixels(model):
    """The model with its normalisation inside: input `image` U8 [n,224,224,3], blue first, as decoders give it."""
    steps = PrePostProcessor(model)
    tensor = steps.input().tensor()
    tensor.set_element_type(ov.Type.u8).set_layout(ov.Layout("NHWC")).set_color_format(ColorFormat.BGR)
    steps.input().model().set_layout(ov.Layout("NCHW"))
    steps.input().preprocess().convert_color(ColorFormat.RGB).convert_element_type(ov.Type.f32).mean(127.0).scale(128.0)
    model = steps.build()
    model.inputs[0].get_tensor().set_names({"image"})
    return model
