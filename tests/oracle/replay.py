"""Replays recordings in float64: what a recording's inputs and parameters give by the equations of models.py."""
import json

import numpy as np

import autodiff
import models  # before edge_forms: each imports the other, which works from this end
import edge_forms
import multi_stream
import relational

AUX_FACTOR = 0.1  # of a recorded diversity loss in the recorded loss
MODULES = {**models.MODULES, **edge_forms.MODULES}


def _gradient(tensor):
    return np.zeros(tensor.shape) if tensor.gradient is None else tensor.gradient


def config_of(metadata):
    config = json.loads(metadata["config"])
    if metadata["family"] == "reference":
        config["compatibility"] = "reference"
    return config


def supported(metadata):
    return metadata["model"] in ("quartic", "multi_stream", "relational") or metadata["model"] in MODULES


def replay(tensors, metadata):
    """{name: array} of all outputs, gradients and final parameters that the recording's family holds."""
    config, family = config_of(metadata), metadata["family"]
    params = {name[6:]: autodiff.Tensor(x) for name, x in tensors.items() if name.startswith("param.")}
    p = models.Params(params)
    mask = tensors["input.mask"].astype(bool) if "input.mask" in tensors else None
    if family == "train":
        losses, norms, final = models.train(p, config, tensors["input.tokens"], metadata["model"])
        return {"output.losses": np.array(losses), "output.grad_norms": np.array(norms),
                **{f"final.{name}": value for name, value in final.items()}}
    if family == "module":
        inputs = {name[6:]: autodiff.Tensor(x) for name, x in tensors.items()
                  if name.startswith("input.") and not name.startswith("input.cotangent.") and name != "input.mask"}
        outputs = MODULES[metadata["model"]](p, config, inputs, mask)
        smooth = {name: y for name, y in outputs.items() if isinstance(y, autodiff.Tensor)}  # not a choice of indices
        autodiff.backward([(y, tensors[f"input.cotangent.{name}"].astype(float)) for name, y in smooth.items()])
        return {**{f"output.{name}": y.value if name in smooth else y for name, y in outputs.items()},
                **{f"grad.input.{name}": _gradient(x) for name, x in inputs.items()},
                **{f"grad.param.{name}": _gradient(x) for name, x in params.items()}}
    aux = None
    if metadata["model"] == "multi_stream":
        logits, aux = multi_stream.multi_stream(p, config, tensors["input.tokens"], mask)
    elif metadata["model"] == "relational":
        logits = relational.relational(p, config, tensors["input.tokens"], mask)
    else:
        logits = models.quartic(p, config, tensors["input.tokens"], mask)
    loss = models.cross_entropy(logits, tensors["input.targets"])
    extra = {}
    if "output.aux" in tensors:
        loss, extra = loss + aux * AUX_FACTOR, {"output.aux": aux.value}
    loss.backward()
    return {"output.logits": logits.value, "output.loss": loss.value, **extra,
            **{f"grad.{name}": _gradient(x) for name, x in params.items()}}
