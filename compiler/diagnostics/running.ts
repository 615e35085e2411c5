import type { Explanation } from '../diagnostics.ts';

/** Codes of what happens around the steps: command line, plugins, budgets, outputs, defects; and those of the passes fold and export. */
export const runningDiagnostics: Readonly<Record<string, Explanation>> = {
  'usage/command-line': {
    title: 'A command, an option or an argument is not one that onnxpress has.',
    text: 'The message names it. `onnxpress --help` lists the commands, `onnxpress COMMAND --help` the arguments and options of one; specs/cli.md says more about them.',
  },
  'usage/bad-shape': {
    title: 'A shape that `--shape` gives does not fit the model.',
    text: `It takes the name of an input and the lengths of all its axes, or the name of a symbol and its length:

    onnxpress inspect model.onnx --shape image=1,3,224,224 --shape N=8

Axes whose length the model states keep it; only what it leaves open can be fixed.`,
  },
  'usage/unknown-code': {
    title: '`explain` was given a code that does not exist.',
    text: 'Codes look like `area/what` and stand in brackets behind `error` or `warning`. specs/diagnostics.md lists all of them. For a node, name the report of a compile: `onnxpress explain NODE --report FILE`.',
  },
  'usage/unknown-node': {
    title: 'The report says nothing about a node of this name.',
    text: 'A report knows all nodes of the model as it was read, and those that passes made and remarked on. `onnxpress inspect MODEL --where "{ name: \'**\' }"` lists the names.',
  },
  'usage/unknown-pass': {
    title: 'There is no pass of this name.',
    text: '`onnxpress passes` lists the built-in ones; `--plugin NAME` adds those of a plugin that is installed here.',
  },
  'usage/unreadable-report': {
    title: 'The report cannot be read.',
    text: 'It does not exist, is no JSON, or was written by a version of onnxpress with another form of reports. Write one with `onnxpress compile RECIPE --report FILE`.',
  },
  'usage/file-exists': {
    title: '`init` would overwrite a file.',
    text: 'A recipe that you may have edited is never replaced. Give another name with `--output`, or print the starter recipe with `--output -`.',
  },
  'usage/bad-number': {
    title: 'An option of the command line takes a number.',
    text: 'Counts are written in digits, without sign, unit or separator; shares are numbers from 0 on, such as 0.001 or 1e-3.',
  },
  'bisect/bad-start': {
    title: '`bisect` needs a model that is good before any step.',
    text: 'What is wrong with it then is not the doing of a step. The command behind `--` has to succeed on the model that the recipe names, whose file it gets as its last word, or where `{}` stands.',
  },
  'bisect/command': {
    title: 'The command that judges models cannot be run, or cannot tell.',
    text: 'It is started without a shell, in the folder in which onnxpress was started: `onnxpress bisect RECIPE -- python3 check.py {}`. Exit code 0 says that a model is good, 125 that this cannot be told, everything else that it is bad.',
  },
  'output/too-many-warnings': {
    title: 'There are more warnings than `--max-warnings` allows.',
    text: 'Nothing was written. `--max-warnings 0` makes every warning count, as in ESLint; without the option any number of them is fine.',
  },
  'plugin/not-found': {
    title: 'A plugin that the recipe lists is not there.',
    text: `Packages are looked for from the folder of the recipe upwards, in \`node_modules\`, as Node does it; paths (\`./passes.js\`) are relative to the recipe. Nothing is ever installed by itself.

Install the package beside the recipe: \`npm i -D NAME\`.`,
  },
  'plugin/failed': {
    title: 'A plugin threw an error while it was loaded.',
    text: 'The message is its own. Often a package that it needs is not installed, or it is written in TypeScript and was not built. Importing it with `node -e "import(\'NAME\')"` shows the whole error.',
  },
  'plugin/no-default-export': {
    title: 'A module is not a plugin.',
    text: 'The main module of a plugin has a default export that `definePlugin({ name, api: 1, passes: [ … ] })` made. See specs/plugin-api.md and plugins/template.',
  },
  'plugin/api-mismatch': {
    title: 'A plugin was written for another version of the interface between plugins and onnxpress.',
    text: 'The number is raised only when plugins that worked would no longer work. The message says which side is older: update that one.',
  },
  'plugin/bad-name': {
    title: 'A pass of a plugin has no proper name, version or `run`.',
    text: 'Passes of plugins are named `vendor/what-it-does`, so that they can never collide with built-in ones. `version` is a number, raised whenever the same options on the same model may give another result.',
  },
  'plugin/duplicate-pass': {
    title: 'Two plugins bring a pass of the same name.',
    text: 'A recipe would not say which one it means. List only one of them under `plugins`, or ask their authors for other names.',
  },
  'plugin/bad-schema': {
    title: 'The options of a plugin\'s pass are not declared in the form that onnxpress reads.',
    text: `Options are a closed subset of JSON Schema: object, array, string, number, integer, boolean, with default, enum, pattern, minimum, maximum, exclusiveMinimum, minItems, maxItems, unit, format and a description for each; objects say \`additionalProperties: false\`.

The message names the option and the keyword. The author of the plugin sees the same from PassTester.`,
  },
  'accept/unknown-metric': {
    title: 'A budget limits what cannot be measured.',
    text: `A budget that would not be checked must not look as if it were. size (bytes of the written model), nodes, parameters and macs can be measured without data, also after a single step.

Budgets of accuracy (top1, top1Drop, metricDrop, agreement, sqnr, …) and latency hold for the whole recipe, and are measured on \`validation\` under \`data\`.`,
  },
  'eval/fused-accuracy': {
    title: 'The int8 kernels of this processor are less accurate than the file of the model.',
    text: `ONNX Runtime fuses Q/DQ pairs into int8 kernels, which are to compute what the file says, up to rounding. On x86 processors without VNNI they do not:
products of unsigned activations and signed weights are added in pairs in 16 bits, and sums beyond that are cut off.

\`quantize-int8\` avoids this for the target onnxruntime-cpu: \`saturation: avoid\`, the default, takes weight scales with which no sum of two products leaves 16 bits, and \`unsigned\` stores weights as uint8, for
which kernels are exact, and slower. With \`ignore\`, and in files of other tools, set the session option session.x64quantprecision to 1 on such processors, or quantize with a reduced range of weights.
Processors with VNNI, and ARM, compute all forms exactly.`,
  },
  'eval/low-fidelity': {
    title: 'A tenth or more of the power of an output of the compiled model is noise.',
    text: `Validation data without a metric, or with \`sqnr\` as theirs, cannot say whether a task suffers. Below 10 dB most do: the output has more than a tenth of its power in errors.

Name a metric of the task (\`top1\`, \`auc\`, \`map\`, a module), and the warning is gone: that figure counts then. Else find the layers that make the noise (\`--html FILE\`, \`sensitivity\` of \`quantize-int8\`), leave them in float with \`overrides\`,
or let \`maxDrop\` with \`metric: sqnr\` find them. Samples that are prepared in another way than the model wants give such figures as well, and so do outputs that are almost zero.`,
  },
  'eval/no-metric': {
    title: 'What a model makes of the data cannot be scored.',
    text: `A budget such as \`maxDrop\` needs a figure: the \`metric\` of the data, top-1 where they have labels, or agreement with the original where the first output looks like classes:
[samples, classes] scores, axes of length one aside, or [samples] integers. For anything else (boxes, pictures, sound, forecasts) give the data a \`metric\`, or a module that computes one.

\`metric: sqnr\` needs no labels and suits every model. The ratio of the original with itself is infinite, so its drop is the power of the noise in percent of the signal's: 1 is 20 dB, 0.1 is 30 dB, 0.01 is 40 dB.`,
  },
  'eval/no-samples': {
    title: 'The data on which models are to be measured have no samples.',
    text: 'The reader opened, and gave nothing: `skip`, `every`, `except` and `samples` leave nothing over, or the file is empty.',
  },
  'accept/budget': {
    title: 'The model does not meet a budget of the recipe.',
    text: 'Nothing was written, and the exit code is 3. With `onFail: warn` the budget is reported only; with `onFail: revert` a step that misses its budget is taken back, and the rest runs without it.',
  },
  'fold/no-fixpoint': {
    title: 'Rewrites of fold undo each other without end.',
    text: 'Each rule makes the model simpler, so that folding ends by itself; here two rules, or one with itself, went round in a circle, and the step was given up. It is a defect of the rules: report it with the model. Exclude the named node with `where` meanwhile.',
  },
  'export/opset': {
    title: '`opset` asks for a version in which an operator of the model means something else.',
    text: 'export declares versions, and does not convert: between the opset of the model and the one that is asked for, the operator got other attributes, inputs or a new meaning. Leave `opset` out, or export the model again from its framework.',
  },
  'export/ir-version': {
    title: '`irVersion` asks for a version that is older than what the model uses.',
    text: 'Element types, functions and metadata came with certain versions of the format; a reader of an older one would misread them. The message names what is too young, and since when it exists.',
  },
  'export/too-large': {
    title: 'The model file would be larger than 2 GiB, which no reader takes.',
    text: 'The limit is that of protobuf, and holds for the file of the model, not for the weights beside it. With `externalData: auto`, the default, weights of such a model go to a side file; `never` forbids that.',
  },
  'export/batch-axis': {
    title: '`dynamicBatch` does not find one batch in the inputs.',
    text: 'The batch is the first axis of every input, or the symbol that the first axis of one input has in another. Inputs such as caches with another first axis leave open what the batch is. Neither may the symbol that it gets be that of another axis: `batchSymbol` gives it another name.',
  },
  'export/batch-differs': {
    title: 'With a dynamic batch the model does not compute what it computes sample by sample.',
    text: `The model was run at batch 1, 2 and 5 and compared with single runs of the original on seeded random inputs; nothing was written. Usual causes: an operator that mixes samples (normalisation over the batch, a sort over everything), or a literal batch in a
form that is not rewritten. The node that is named is the first, in the order of the model, whose values differ.`,
  },
  'export/batch-unproved': {
    title: 'Whether a dynamic batch would be right cannot be found out.',
    text: 'The original does not run on random inputs (it wants indices in a range, or lengths that fit each other), gives other results each time, or gives none to compare. What cannot be proved is not written: leave `dynamicBatch` out, or export the model with a symbolic batch from its framework.',
  },
  'output/conflict': {
    title: 'A file would be written over another one that counts.',
    text: 'An output, a report or a dependency file leads, as an absolute path, through a link or under the name of a side file, to a file that was read (the model, its weights, a recipe, a plugin) or to another output. Nothing was written.',
  },
  'output/unwritable': {
    title: 'The outputs cannot be written.',
    text: 'Files are written under temporary names beside their place, and renamed when all are complete; none of them is left now, and files that were there before are as they were. The message of the system says why: permissions, space, or a folder where a file should be.',
  },
  'internal/error': {
    title: 'An exception that nobody expected ended the run.',
    text: 'Exit code 70. It is a defect of onnxpress, whatever the recipe and the model are. Please report it, with the command, the recipe and the text that was printed.',
  },
  'internal/step-failed': {
    title: 'A pass ended in an internal error.',
    text: 'Exit code 70. It is a defect of the pass. The reproducer that was written holds the model as it was before the step and a recipe of that step alone; `onnxpress compile` on it replays the failure. Leaving the step out, or narrowing its `where`, avoids it meanwhile.',
  },
  'internal/invalid-model': {
    title: 'A pass left a model that is not valid.',
    text: 'Every step that changes the model is followed by a check of its structure, its operators and its interface. What is found is a defect of the pass, and the message names the node. The reproducer that was written replays it.',
  },
};
