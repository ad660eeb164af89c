"""Runs an exported reranker behind Triton's Python backend, for machines that lack the ONNX Runtime backend.

All requests that the dynamic batcher hands over become one run, as the ONNX Runtime backend does it: inputs are laid
behind each other along the first dimension, outputs are cut apart again.
"""

import os
import sys

# The interpreter inside the server does not look at the variable itself.
sys.path[:0] = os.environ["PYTHONPATH"].split(os.pathsep)

import numpy as np
import onnxruntime
import triton_python_backend_utils as pb_utils


class TritonPythonModel:
    def initialize(self, args):
        folder = os.path.join(args["model_repository"], args["model_version"])
        options = onnxruntime.SessionOptions()
        options.intra_op_num_threads = 1
        self.session = onnxruntime.InferenceSession(
            os.path.join(folder, "model.onnx"), options, providers=["CPUExecutionProvider"]
        )
        self.inputs = [port.name for port in self.session.get_inputs()]
        self.outputs = [port.name for port in self.session.get_outputs()]

    def execute(self, requests):
        parts = [
            {name: pb_utils.get_input_tensor_by_name(request, name).as_numpy() for name in self.inputs}
            for request in requests
        ]
        joined = {name: np.concatenate([part[name] for part in parts]) for name in self.inputs}
        scores = self.session.run(self.outputs, joined)
        ends = np.cumsum([len(part[self.inputs[0]]) for part in parts])[:-1]
        split = [np.split(score, ends) for score in scores]
        return [
            pb_utils.InferenceResponse(
                [pb_utils.Tensor(name, split[output][index]) for output, name in enumerate(self.outputs)]
            )
            for index in range(len(requests))
        ]
