import type { Explanation } from '../diagnostics.ts';

/** Codes of models: what their files hold, whether the parts fit together, and what editing, inlining and cutting them out may not do. */
export const modelDiagnostics: Readonly<Record<string, Explanation>> = {
  'model/unreadable': {
    title: 'The file of a model cannot be opened.',
    text: 'It does not exist, is a folder, or may not be read by this user. In a recipe, `model` is relative to the recipe, not to the folder in which onnxpress was started.',
  },
  'model/empty': {
    title: 'The file of a model has no bytes.',
    text: 'Usually an export or a download was interrupted before it wrote anything. Repeat it, and look at the size of the file afterwards.',
  },
  'model/not-onnx': {
    title: 'The file is something else than an ONNX model.',
    text: `An ONNX model holds at least an IR version and a graph, which this file does not. Where the first bytes tell what it is, the message says so; often it is a pointer of Git LFS in place of the file, the web page around a download, an archive, or a model of another framework.

Give the file that \`onnx.save\` or \`torch.onnx.export\` wrote.`,
  },
  'model/no-graph': {
    title: 'The model has no graph.',
    text: 'It says which version of ONNX it is written in, and nothing else. The program that wrote it failed half-way, or the file holds something other than a model. Export it again.',
  },
  'model/truncated': {
    title: 'A file ends before its content does.',
    text: 'The file of the model, or one with its weights, is shorter than what it says about itself. A download or copy was interrupted, or the file was replaced while it was read. Copy it again, and compare its size with that of the source.',
  },
  'model/malformed': {
    title: 'The bytes of the file do not follow the encoding of ONNX.',
    text: `The message gives the byte and the path of the field where it first shows; the damage may lie before. Usual causes: a transfer that changed line ends, a disk error, or a file that begins like a model and is none.

Fetch or export the file again. If ONNX Runtime reads it, please report it with the file.`,
  },
  'model/too-deep': {
    title: 'Messages of the file lie too deep within each other.',
    text: 'Files are read to 100 levels, where ONNX Runtime and Python stop too, and written to 1000; a body within a body takes three. Exporters do not write such models. If it is meant, read it through the library with `limits.depth` raised, and flatten the bodies.',
  },
  'model/too-large': {
    title: 'The structure of the file would take more memory than is allowed.',
    text: `Weights do not count, since they are left in the file: it is nodes, names, and numbers that are stored one by one. A small file can be made to stand for a great deal of them, hence the limit of 1 GiB (\`limits.memory\` in the library).

Weights belong into \`raw_data\` or external data, as all usual exporters store them.`,
  },
  'model/external-data': {
    title: 'Weights that lie in another file cannot be taken from it.',
    text: `The file is shorter than what the model expects, two tensors claim the same bytes, or a tensor describes its place in a way that has no meaning. Usual cause: the files come from two different exports.

Both files belong together: copy them again as a pair, under the names that the exporter gave. The name of the weights is written inside the model, so renaming them breaks it.`,
  },
  'model/external-path': {
    title: 'The file that a model names for its weights is missing, or may not be read.',
    text: `Weights must lie in the folder of the model or below it. Absolute paths, \`..\`, links that lead out of the folder and files with a second name (hard links) are refused, because a model from elsewhere could name any file of this machine that way.

If the file is missing, copy it beside the model. If the layout is meant, save the model again with its weights in the same folder, or copy them instead of linking.`,
  },
  'model/unknown-type': {
    title: 'A tensor has an element type that this version does not know.',
    text: 'The types of ONNX up to IR version 13 are known. A newer one was used, or the field is damaged. Export the model for an older version of ONNX, or update onnxpress.',
  },
  'model/shape': {
    title: 'A tensor has a shape that no tensor can have.',
    text: 'Lengths of stored tensors are whole numbers from 0 on, whose product can be counted exactly; unknown lengths stand only in types of inputs and outputs. The file is damaged, or the program that wrote it stored a symbol as a number. Export it again.',
  },
  'model/tensor-size': {
    title: 'A tensor has more or fewer bytes than its shape needs.',
    text: 'Shape and elements contradict each other. Usual causes: a script that changed `dims` without the data, four-bit elements that were stored one to a byte, or a damaged file. Correct the script, or export the model again.',
  },
  'model/segment': {
    title: 'A tensor is stored as one segment of a larger one.',
    text: 'ONNX describes the form, but nothing writes it and no runtime reads it. Put the pieces together, and store the tensor whole.',
  },
  'model/sparse': {
    title: 'A sparse tensor contradicts itself.',
    text: 'It needs a list of values, and indices of type int64: one number for each value, or one for each value and axis, all inside the shape. The file is damaged or was written wrongly; store the tensor densely, or correct its indices.',
  },
  'model/sparse-size': {
    title: 'A sparse tensor would be huge when dense.',
    text: 'Sparse constants are made dense when a model is normalised, up to 256 MiB each. A few bytes can stand for terabytes, hence the limit. If it is meant, store the tensor densely in the model, or raise `maxDense` in the library.',
  },
  'model/integer-too-large': {
    title: 'An integer is too large to be computed with exactly.',
    text: 'Passes reckon with sizes, axes and indices as doubles, which are exact up to 2^53, about 9 × 10^15. Beyond that, a length or index is nearly always a mistake, or an infinity that is written as a number. Choose a smaller one that means the same.',
  },
  'model/number': {
    title: 'A number does not fit the field of the file in which it would be written.',
    text: 'A pass or a program put it into the model: a negative size, a fraction where ONNX stores integers, or more than 64 bits. Correct the program; a model that was merely read cannot hold such a number.',
  },
  'model/text': {
    title: 'A name or text cannot be written as UTF-8.',
    text: 'It holds half of a surrogate pair, which JavaScript allows and UTF-8 does not. Usually a text was cut in the middle of a character. Remove the character.',
  },
  'model/name': {
    title: 'A value has no name, or the name of another one that is visible in the same place.',
    text: `In the file, names are all that connects nodes, so each must mean one value. Inside the body of an If, Loop or Scan the names of the graphs around it count too.

For a model that was read: export it again. For one that was edited: give the value a name of its own; normalising a model does so for bodies.`,
  },
  'model/duplicate-name': {
    title: 'Two values of one graph have the same name.',
    text: 'What reads the name could mean either. It happens when graphs are joined by a script without a prefix for their names, or when an initializer gets the name of an output of a node. Rename one of them and its readers.',
  },
  'model/duplicate-function': {
    title: 'Two local functions cannot be told apart.',
    text: 'A function is known by its domain, its name and its overload together. Give one of the two another overload, or remove it if both are the same.',
  },
  'model/undefined-value': {
    title: 'Something reads a value that nothing makes.',
    text: `No input, initializer or node of the graph, or of one around it, has this name. Usual causes: nodes were removed by a script and their readers were not; the model was cut out of a larger one; a body refers to a graph that it is not in.

Export the model again, or let the reader take another value.`,
  },
  'model/output-name': {
    title: 'Outputs of the model cannot be given the names that they need.',
    text: 'Callers find outputs by name, so each needs one, and no two may share it. It occurs after an edit that made two outputs of one value, or gave an output the name of another value. Give each its own name; an Identity makes a second value of one.',
  },
  'model/node-name': {
    title: 'A node has no name, or that of another node.',
    text: 'Names of nodes may be missing or repeated in files; reading a model makes them complete and unique, so that messages, reports and selectors can name every node. A pass that adds nodes goes through the editor, which keeps it so. It is a defect of the pass.',
  },
  'model/opset': {
    title: 'It is not clear which version of its operators the model uses.',
    text: 'A model imports one version for each domain that its nodes use. Here an import is missing, or the same domain is imported twice in different versions. Add it to `opset_import`, or remove the wrong one; a local function has imports of its own.',
  },
  'model/operator': {
    title: 'An operator does not exist in the opset of the model.',
    text: 'It is misspelt, is newer than the opset, or ended before it (the message says when). An operator of your own needs a domain of its own, or a local function. Export the model for the opset that has the operator.',
  },
  'model/inputs': {
    title: 'A node has too few or too many inputs, or leaves out one that it needs.',
    text: 'Optional inputs may be left out in the middle, and are dropped at the end; needed ones may not. Compare the node with its operator in this opset: what is an input in one version is an attribute in another, such as the axes of Squeeze or the ratio of Dropout.',
  },
  'model/outputs': {
    title: 'A node has too few or too many outputs, or an output is read that its function does not make.',
    text: 'Compare the node with its operator in this opset. For a call of a local function: an output that stands for an optional input exists only if the call gives that input.',
  },
  'model/attribute': {
    title: 'An attribute is unknown, of the wrong kind, given twice, or empty.',
    text: `Attributes belong to a version of the operator: one that a later opset brought, or that an earlier one had, is wrong here. A whole number is not a float, and a single number is not a list of one.

Remove the attribute, give it the kind that the message names, or import the opset that has it. If the file itself holds an attribute without a value, export it again.`,
  },
  'model/attribute-missing': {
    title: 'A node lacks an attribute that has no default.',
    text: 'The operator, or the local function that is called, cannot do without it: for example `to` of Cast, or `perm` where a function hands it on. Add it to the node, or give the function a default.',
  },
  'model/reference': {
    title: 'An attribute takes its value from a call that does not provide it.',
    text: 'Inside a local function, an attribute may refer to one of the call (`ref_attr_name`). It has to be declared by the function, and outside functions there is nothing to refer to. Give the attribute a value, or declare it.',
  },
  'model/body': {
    title: 'The body of an If, Loop, Scan or SequenceMap does not fit its node.',
    text: `Branches of If have no inputs, and the same outputs as each other. The body of a Loop takes the iteration, the condition and the carried values, and gives the condition, the carried values and what is collected; that of a Scan takes its states and slices.

Count both sides: an input or output was added on one side only.`,
  },
  'model/order': {
    title: 'A node stands before one whose output it reads.',
    text: 'ONNX wants nodes in an order in which they can run. There is no cycle, so sorting is enough: `sortModel` in the library, and onnxpress does it whenever it normalises a model.',
  },
  'model/cycle': {
    title: 'Nodes read each other\'s outputs in a circle.',
    text: `Nothing could run first. The message follows the circle from node to node, each with the one whose output it reads. The body of a node counts as part of it: a body that reads what its own node makes is a circle too.

Exporters do not write such models. Usual causes: a script that renamed a value to the name of a later one, or a rewrite that gave an early node an input from behind it. One of the named reads is wrong; a loop is expressed with Loop or Scan.`,
  },
  'model/scope': {
    title: 'A node reads a value that is not visible where it stands.',
    text: 'Bodies see the values of the graphs around them; a graph does not see into its bodies, nor one branch into another. Values leave a body only as its outputs. It is a defect of the pass or program that moved the node.',
  },
  'model/removed': {
    title: 'Something reads a value that has been taken out of the model.',
    text: 'A pass or program removed a node, and left a reader of its output behind. Replace the uses of a value (`replaceUses`) before its node is removed; the editor refuses to remove what is still read.',
  },
  'model/constant': {
    title: 'A value is both a constant and something else.',
    text: 'A value has elements of its own, or is made by a node, or is an input; only inputs may have elements as their default. The model was changed past the editor. It is a defect of the pass or program that did so.',
  },
  'model/constant-type': {
    title: 'A constant is declared with another type than its elements have.',
    text: 'The element type or a length of the declaration contradicts the tensor. Correct or remove the declaration; in a pass, change elements through the editor (`setTensor`), which keeps the two together.',
  },
  'model/producer': {
    title: 'A value does not know which node makes it.',
    text: 'The links between nodes and values are damaged, or a value stands in two places. Models are changed only through the editor, which keeps both directions of every link. It is a defect of the pass or program that changed the model.',
  },
  'model/uses': {
    title: 'A value knows of other readers than it has.',
    text: 'Each value lists the inputs and outputs that read it, and here the list does not agree with the nodes. The model was changed past the editor. It is a defect of the pass or program that did so.',
  },
  'model/links': {
    title: 'The list of nodes of a graph is damaged.',
    text: 'Following it from node to node does not lead to the last one, or finds another number of nodes than were counted. The model was changed past the editor, and nothing more about it can be said. It is a defect of the pass or program that did so.',
  },
  'model/owner': {
    title: 'A graph stands in two places, or does not know where it stands.',
    text: 'Each body belongs to one attribute of one node. A pass that reuses a body has to copy it. It is a defect of the pass or program that changed the model.',
  },
  'model/interface': {
    title: 'Inputs or outputs of the model changed.',
    text: 'Programs call the model by the names, order and types of its inputs and outputs, so passes must keep them; lengths of axes may become known. It is a defect of the pass. One that changes the interface on purpose, such as export with a dynamic batch, declares it.',
  },
  'model/function-cycle': {
    title: 'A local function calls itself, directly or through others.',
    text: 'ONNX has no recursion: functions are put in place of their calls, which would never end. Express the repetition with Loop or Scan, or correct the call if another function was meant.',
  },
  'model/function-size': {
    title: 'The local functions of the model stand for too many nodes.',
    text: 'Functions that call functions multiply: thirty of them, each with two calls of the next, are a billion nodes. Models are expanded up to a million nodes and constants. Export the model without local functions, or raise `maxNodes` in the library.',
  },
  'model/extract-input': {
    title: 'A region of the model cannot be computed from the inputs that were named for it.',
    text: 'Between the given inputs and outputs, something reads a value from outside of the region. The message names such values with their readers. Add them to the inputs, or move an end of the region.',
  },
  'model/extract-type': {
    title: 'The type of a value that is to become an input is not known.',
    text: 'A model needs types for its inputs, and the file declares none for this value inside the graph. Infer types first (`onnx.shape_inference`, or the library), or let the region begin at a value whose type is known.',
  },
};
