"""Reverse-mode differentiation over float64 numpy arrays: just enough for the equations in models.py.

A Tensor holds a value and, for each parent, a function from its own gradient to the parent's. backward() walks
the tensors in reverse order of their making, which is a topological order. Written for being obviously right.
"""
import itertools
import math

import numpy as np

_serial = itertools.count()
_erf = np.vectorize(math.erf, otypes=[float])


def _unbroadcast(gradient, shape):
    """Sums a gradient over the axes along which a value of this shape was repeated."""
    gradient = gradient.sum(axis=tuple(range(gradient.ndim - len(shape))))
    repeated = tuple(a for a, extent in enumerate(shape) if extent == 1 and gradient.shape[a] != 1)
    return gradient.sum(axis=repeated, keepdims=True) if repeated else gradient


class Tensor:
    __array_priority__ = 100  # numpy leaves array (+-*/) Tensor to us

    def __init__(self, value, parents=()):
        self.value = np.asarray(value, dtype=np.float64)
        self.parents = parents  # pairs (Tensor, gradient -> gradient)
        self.gradient = None
        self.serial = next(_serial)

    @property
    def shape(self):
        return self.value.shape

    def backward(self, cotangent=None):
        backward([(self, np.ones(self.shape) if cotangent is None else cotangent)])

    def __add__(self, other):
        other = lift(other)
        return Tensor(self.value + other.value, ((self, lambda g: _unbroadcast(g, self.shape)),
                                                 (other, lambda g: _unbroadcast(g, other.shape))))

    def __mul__(self, other):
        other = lift(other)
        return Tensor(self.value * other.value, ((self, lambda g: _unbroadcast(g * other.value, self.shape)),
                                                 (other, lambda g: _unbroadcast(g * self.value, other.shape))))

    __radd__, __rmul__ = __add__, __mul__

    def __neg__(self):
        return self * -1.0

    def __sub__(self, other):
        return self + -lift(other)

    def __rsub__(self, other):
        return lift(other) + -self

    def __truediv__(self, other):
        return self * _map(lift(other), lambda x: 1.0 / x, lambda x, y: -y * y)

    def __getitem__(self, index):
        def adjoint(g):
            out = np.zeros(self.shape)
            np.add.at(out, index, g)
            return out
        return Tensor(self.value[index], ((self, adjoint),))

    def reshape(self, *shape):
        return Tensor(self.value.reshape(shape), ((self, lambda g: g.reshape(self.shape)),))

    def transpose(self, *axes):
        return Tensor(self.value.transpose(axes), ((self, lambda g: g.transpose(np.argsort(axes))),))

    def sum(self, axis=None, keepdims=False):
        def adjoint(g):
            if not keepdims and axis is not None:
                g = np.expand_dims(g, axis)
            return np.broadcast_to(g, self.shape)
        return Tensor(self.value.sum(axis=axis, keepdims=keepdims), ((self, adjoint),))

    def mean(self, axis):
        return self.sum(axis, keepdims=True) * (1.0 / self.shape[axis])


def lift(x):
    return x if isinstance(x, Tensor) else Tensor(x)


def backward(seeds):
    """Accumulates gradients of sum of <tensor, cotangent> over the pairs into .gradient of all ancestors."""
    found, stack = {}, [tensor for tensor, _ in seeds]
    while stack:
        tensor = stack.pop()
        if tensor.serial not in found:
            found[tensor.serial] = tensor
            tensor.gradient = np.zeros(tensor.shape)
            stack.extend(parent for parent, _ in tensor.parents)
    for tensor, cotangent in seeds:
        tensor.gradient = tensor.gradient + cotangent
    for serial in sorted(found, reverse=True):
        tensor = found[serial]
        for parent, adjoint in tensor.parents:
            parent.gradient = parent.gradient + adjoint(tensor.gradient)


def _map(x, function, slope):
    """Elementwise; slope gets x and function(x)."""
    y = function(x.value)
    return Tensor(y, ((x, lambda g: g * slope(x.value, y)),))


def exp(x):
    return _map(x, np.exp, lambda _, y: y)


def log(x):
    return _map(x, np.log, lambda x, _: 1.0 / x)


def sqrt(x):
    return _map(x, np.sqrt, lambda _, y: 0.5 / y)


def tanh(x):
    return _map(x, np.tanh, lambda _, y: 1.0 - y * y)


def sigmoid(x):
    return _map(x, lambda x: 1.0 / (1.0 + np.exp(-x)), lambda _, y: y * (1.0 - y))


def silu(x):
    return x * sigmoid(x)


def erf(x):
    return _map(x, _erf, lambda x, _: 2.0 / math.sqrt(math.pi) * np.exp(-x * x))


def gelu(x):
    return x * (erf(x * math.sqrt(0.5)) + 1.0) * 0.5


def maximum(x, floor):
    """max(x, floor) for a number; the gradient is 0 where the floor holds."""
    return _map(x, lambda x: np.maximum(x, floor), lambda x, _: (x > floor).astype(float))


def keep(x, where):
    """x where the boolean array holds, else 0."""
    return x * where.astype(float)


def softmax(x, visible):
    """Over the last axis; hidden entries give 0, a row with nothing visible gives zeros."""
    visible = np.broadcast_to(visible, x.shape)
    top = np.where(visible, x.value, -np.inf).max(axis=-1, keepdims=True)
    shifted = keep(x - np.where(np.isfinite(top), top, 0.0), visible)
    weights = keep(exp(shifted), visible)
    total = weights.sum(axis=-1, keepdims=True)
    return weights / (total + (total.value == 0.0))


def einsum(pattern, *operands):
    """numpy.einsum without ellipses or repeated letters in one operand."""
    inputs, output = pattern.split("->")
    inputs = inputs.split(",")
    operands = [lift(x) for x in operands]
    extent = {letter: n for letters, x in zip(inputs, operands) for letter, n in zip(letters, x.shape)}

    def adjoint_for(k):
        others = [(letters, x.value) for i, (letters, x) in enumerate(zip(inputs, operands)) if i != k]
        known = set(output).union(*[letters for letters, _ in others])
        lone = [letter for letter in inputs[k] if letter not in known]  # summed away in this operand alone
        patterns = [output] + [letters for letters, _ in others] + lone
        ones = [np.ones(extent[letter]) for letter in lone]
        target = ",".join(patterns) + "->" + inputs[k]
        return lambda g: np.einsum(target, g, *[x for _, x in others], *ones)

    value = np.einsum(pattern, *[x.value for x in operands])
    return Tensor(value, tuple((x, adjoint_for(k)) for k, x in enumerate(operands)))
