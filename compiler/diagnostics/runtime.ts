import type { Explanation } from '../diagnostics.ts';

/** Codes of running models in ONNX Runtime. */
export const runtimeDiagnostics: Readonly<Record<string, Explanation>> = {
  'runtime/not-installed': {
    title: 'ONNX Runtime cannot be loaded.',
    text: `Folding, calibration and proofs run parts of the model in it. The package \`onnxruntime-node\` is missing, or has no binary for this system (it brings them for Linux with glibc, macOS and Windows).

Install it with \`ONNXRUNTIME_NODE_INSTALL=skip npm install onnxruntime-node\`; the variable keeps its installer from downloading GPU libraries, which are not used.`,
  },
  'runtime/open': {
    title: 'ONNX Runtime refuses the model.',
    text: `The reason is in its own words, with the node as it is called in the model. Usual causes: an operator or an element type that it has not implemented, an opset or IR version that is newer than it, or declared shapes that contradict the nodes.

If it is the model as it was read, export it differently, or leave out the step that has to run it. If a step made it so, that step has a defect: please report it. A compile has every file loaded before it writes it: where the model was accepted before its steps, none leaves behind what is not.`,
  },
  'runtime/run': {
    title: 'ONNX Runtime accepted the model, and failed while it ran.',
    text: 'The message names the node where it can be told. Usual causes: inputs whose lengths do not fit each other inside the model, an index out of range, or too little memory. Try the same inputs in the framework that the model comes from; if those are right, the model is not.',
  },
  'runtime/input-mismatch': {
    title: 'What is fed does not fit the inputs of the model.',
    text: 'Every input without a default needs one tensor of its element type and shape, under its exact name, and the same symbol means the same length in all inputs. `onnxpress inspect MODEL` lists the inputs. Usual causes: float64 in place of float32, a missing batch axis, channels last.',
  },
  'runtime/unsupported-type': {
    title: 'A value has a type that cannot pass between JavaScript and ONNX Runtime.',
    text: 'Sequences, maps, complex numbers and some small types have no common form there, and an input without a declared type has none at all. Give the input a tensor type, or fetch a value before or behind the one that is named.',
  },
  'runtime/fetch': {
    title: 'A value was asked for that cannot be fetched.',
    text: 'Only values of the main graph can be watched. What happens inside the body of an If, Loop or Scan, or inside a local function, is seen at the outputs of its node. A value that a pass removed is not there either.',
  },
  'runtime/died': {
    title: 'ONNX Runtime ended unexpectedly.',
    text: 'It runs in a thread of its own, which was lost; the next call starts a new one. The usual cause is memory: use smaller batches, fewer samples at once, or fewer fetched values. If it happens again with plenty of memory, report it with the model.',
  },
  'runtime/cancelled': {
    title: 'A run was lost because another one was cancelled.',
    text: 'A call of ONNX Runtime cannot be interrupted, so cancelling one gives up the thread with everything that waits in it. Open the session again. Programs that cancel single runs while others must go on use a runtime for each.',
  },
  'runtime/closed': {
    title: 'The runtime was closed before it was asked, or before it had answered.',
    text: 'A program holds on to sessions longer than to their runtime, or closes it without waiting for them. Let the runtime live as long as its sessions: in a pass, it is there until `run` returns, so await everything.',
  },
  'runtime/session-closed': {
    title: 'A session is used after it was released or lost.',
    text: 'Releasing it ends it, and so does a restart of ONNX Runtime after a run was cancelled or its thread died. Open the model again; a released session holds no memory that could be reused.',
  },
};
