"""ResNet-50 and AlexNet as they are usually benchmarked: NHWC, float32, from random weights."""

import tensorflow as tf


def _he(shape, seed):
    fan_in = 1
    for size in shape[:-1]:
        fan_in *= size
    return tf.random.stateless_truncated_normal(shape, [seed, 1], stddev=(2.0 / fan_in) ** 0.5)


class Network(tf.Module):
    """What both have in common: variables that are made in one order, whose initial values follow from it."""

    def __init__(self):
        super().__init__()
        self._made = 0

    def _weights(self, *shape):
        self._made += 1
        return tf.Variable(_he(shape, self._made))

    @staticmethod
    def _vector(size, value=0.0):
        return tf.Variable(tf.fill([size], value))

    @property
    def parameters(self):
        return sum(variable.shape.num_elements() for variable in self.trainable_variables)


class AlexNet(Network):
    """AlexNet in one column, as tf_cnn_benchmarks has it."""

    smallest = 67
    convolutions = [(11, 64, 4, "VALID"), (5, 192, 1, "SAME"), (3, 384, 1, "SAME"), (3, 384, 1, "SAME"), (3, 256, 1, "SAME")]
    pooled = {0, 1, 4}

    def __init__(self, size, classes):
        super().__init__()
        self.filters = []
        channels = 3
        for index, (width, filters, stride, padding) in enumerate(self.convolutions):
            self.filters.append((self._weights(width, width, channels, filters), self._vector(filters)))
            channels = filters
            if padding == "VALID":
                size = (size - width) // stride + 1
            if index in self.pooled:
                size = (size - 3) // 2 + 1
        widths = [size * size * channels, 4096, 4096, classes]
        self.dense = [(self._weights(a, b), self._vector(b)) for a, b in zip(widths, widths[1:])]

    def __call__(self, images):
        values = images
        for index, (filters, bias) in enumerate(self.filters):
            _, _, stride, padding = self.convolutions[index]
            values = tf.nn.relu(tf.nn.conv2d(values, filters, stride, padding) + bias)
            if index in self.pooled:
                values = tf.nn.max_pool2d(values, 3, 2, "VALID")
        values = tf.reshape(values, [values.shape[0], -1])
        for weights, bias in self.dense[:-1]:
            values = tf.nn.dropout(tf.nn.relu(tf.matmul(values, weights) + bias), 0.5)
        weights, bias = self.dense[-1]
        return tf.matmul(values, weights) + bias


class ResNet50(Network):
    """ResNet-50, version 1. Normalised by the statistics of the batch alone: the network is thrown away after training."""

    smallest = 32
    stages = [(64, 3), (128, 4), (256, 6), (512, 3)]

    def __init__(self, size, classes):
        super().__init__()
        self.stem = self._convolution(7, 3, 64)
        self.blocks = []
        channels = 64
        for stage, (filters, count) in enumerate(self.stages):
            for index in range(count):
                stride = 2 if index == 0 and stage > 0 else 1
                shortcut = self._convolution(1, channels, 4 * filters) if index == 0 else None
                path = [
                    self._convolution(1, channels, filters),
                    self._convolution(3, filters, filters),
                    self._convolution(1, filters, 4 * filters),
                ]
                self.blocks.append((stride, shortcut, path))
                channels = 4 * filters
        self.dense = (self._weights(channels, classes), self._vector(classes))

    def _convolution(self, width, channels, filters):
        return self._weights(width, width, channels, filters), self._vector(filters, 1.0), self._vector(filters)

    @staticmethod
    def _normalised(values, convolution, stride=1):
        filters, scale, offset = convolution
        values = tf.nn.conv2d(values, filters, stride, "SAME")
        return tf.compat.v1.nn.fused_batch_norm(values, scale, offset, epsilon=1e-5, is_training=True)[0]

    def __call__(self, images):
        values = tf.nn.relu(self._normalised(images, self.stem, 2))
        values = tf.nn.max_pool2d(values, 3, 2, "SAME")
        for stride, shortcut, (first, second, third) in self.blocks:
            around = values if shortcut is None else self._normalised(values, shortcut, stride)
            values = tf.nn.relu(self._normalised(values, first, stride))
            values = tf.nn.relu(self._normalised(values, second))
            values = tf.nn.relu(self._normalised(values, third) + around)
        weights, bias = self.dense
        return tf.matmul(tf.reduce_mean(values, [1, 2]), weights) + bias


networks = {"resnet50": ResNet50, "alexnet": AlexNet}
