import { chunksLength } from '../ir/bytes.ts';
import { cloneModel } from '../ir/clone.ts';
import { Diagnostic } from '../ir/diagnostic.ts';
import { Editor } from '../ir/edit.ts';
import type { Graph, Model, Value } from '../ir/model.ts';
import { writeModel, type Written } from '../ir/onnx/write.ts';
import { makeBatchDynamic } from './export/batch.ts';
import { proveBatch } from './export/proof.ts';
import { stripMachinePaths } from './export/strip.ts';
import { checkedVersions, raisedIrVersion, targetRemarks } from './export/versions.ts';
import { definePass, type PassDeclaration } from './pass.ts';

/** Beyond this the file format's readers refuse a single file (protobuf's limit of 2 GiB, with room for the header). */
const singleFileLimit = 2 ** 31 - 2 ** 20;

/** Tensors of fewer bytes stay in the model file when weights move to a side file. */
const inlineLimit = 1024;

/** Name of the side file of a model file, in the same folder. */
export function sideFile(output: string): string {
  return `${output}.data`;
}

const options = {
  type: 'object',
  additionalProperties: false,
  required: ['output'],
  properties: {
    output: { type: 'string', format: 'path', description: 'The file to write, relative to the recipe.' },
    dynamicBatch: { type: 'boolean', default: false, description: 'Makes the first axis of all inputs and outputs a symbol, so that the model runs at any batch size.' },
    batchSymbol: { type: 'string', default: 'N', pattern: '^[A-Za-z_]\\w*$', description: 'Name of that symbol.' },
    externalData: {
      type: 'string', enum: ['auto', 'always', 'never'], default: 'auto',
      description: 'Whether weights go to a side file, named like the output with `.data` behind it: only for models beyond 2 GiB, always or never. Build systems that need to know the files in advance want always or never.',
    },
    opset: { type: 'integer', minimum: 1, description: 'Version of the ONNX operator set to declare; the one of the model if absent. Refused where an operator changed its meaning in between.' },
    irVersion: { type: 'integer', minimum: 3, maximum: 14, description: 'IR version to declare; the one of the model if absent. Refused where the model uses what came later.' },
    valueInfo: { type: 'boolean', default: true, description: 'Writes the types and shapes of all intermediate values, as inferred.' },
    stackTraces: { type: 'boolean', default: false, description: 'Keeps the stack traces and source paths that exporters leave behind: they hold paths of the machine that exported the model.' },
  },
} as const;

/**
 * Writes the model as it is at this step. Nothing in the model changes: what is said below is done to a copy, so that a recipe can
 * export, go on, and export again.
 */
export const exportPass: PassDeclaration<typeof options> = definePass({
  name: 'export',
  version: 1,
  summary: 'Writes the model to a file.',
  description: [
    'Interface names, opset and IR version stay as they are. Machine paths in what exporters leave behind (stack traces in',
    '`metadata_props` and doc strings) are stripped; `onnxpress.*` entries in the metadata of the model say where it comes from.',
    '',
    'With `dynamicBatch` the first axis of every input and output becomes a symbol, literal batches inside the graph are rewritten, and the',
    'result is run at batch 1, 2 and 5 and compared with single runs of the original. A model that does not pass is refused, with the node where it first differs.',
  ].join('\n'),
  options,
  required: true,
  outputs: ({ output, externalData }) => [output, ...(externalData === 'always' ? [sideFile(output)] : [])],
  async run(model, { options: chosen, runtime, target, signal, stat, remark, progress, output: emit }) {
    const values = new Map<Value, Value | undefined>();
    const copy = cloneModel(model, { values });
    const edit = new Editor(copy);
    checkedVersions(copy, edit, chosen);
    const old = chosen.irVersion === undefined ? raisedIrVersion(copy, edit) : undefined;
    if (old !== undefined) remark({ kind: 'applied', rule: 'ir-version', message: `IR version ${old} became 4, the first in which initializers need not be inputs` });
    for (const message of targetRemarks(copy, target)) remark({ kind: 'analysis', rule: 'target-versions', message });
    if (!chosen.stackTraces) stat('stack traces stripped', stripMachinePaths(copy, edit));
    if (chosen.dynamicBatch) {
      const rewritten = await makeBatchDynamic(copy, edit, chosen.batchSymbol, runtime, (node, message) => { remark({ kind: 'applied', rule: 'dynamic-batch', message, node }); });
      stat('literal batches rewritten', rewritten);
      await proveBatch(model, copy, values, runtime, signal, progress);
    }
    if (!chosen.valueInfo) forgetTypes(copy, edit);
    const { model: chunks, external } = written(copy, chosen);
    if (external !== undefined && external.length > 0) emit({ path: sideFile(chosen.output), chunks: external });
    emit({ path: chosen.output, main: true, chunks });
    stat('bytes written', chunksLength(chunks) + chunksLength(external ?? []));
  },
});

function written(model: Model, { output, externalData }: { readonly output: string; readonly externalData: 'auto' | 'always' | 'never' }): Written {
  if (externalData !== 'always') {
    const whole = writeModel(model);
    if (chunksLength(whole.model) <= singleFileLimit) return whole;
    if (externalData === 'never') throw tooLarge(output, whole.model, 'Leave `externalData` out, so that the weights go to a side file.');
  }
  const location = sideFile(output).split('/').at(-1)!;
  const parted = writeModel(model, { external: { location, threshold: inlineLimit } });
  if (chunksLength(parted.model) > singleFileLimit) throw tooLarge(output, parted.model, 'The rest lies in attributes of nodes, which cannot be external: `fold` makes constants of Constant nodes.');
  return parted;
}

function tooLarge(output: string, chunks: Written['model'], suggestion: string): Diagnostic {
  return new Diagnostic('export/too-large', `${output} would have ${chunksLength(chunks)} bytes, and no reader takes a model file of more than ${singleFileLimit}`, { suggestion });
}

/** Takes away the types of what is neither input, constant nor output. */
function forgetTypes(model: Model, edit: Editor): void {
  const forget = (graph: Graph): void => {
    // A slot without a type of its own has that of its value.
    graph.outputs.forEach(({ type, value }, index) => { if (type === undefined && value.type !== undefined) edit.setOutputType(graph, index, value.type); });
    for (const node of graph.nodes()) {
      node.subgraphs.forEach(forget);
      for (const value of node.outputs) if (value !== undefined) edit.setType(value, undefined);
    }
  };
  for (const graph of model.graphs()) forget(graph);
}

