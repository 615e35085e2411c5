import { readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { expect } from 'chai';
import { memorySource } from '../../../ir/bytes.ts';
import { hashModel } from '../../../ir/hash.ts';
import type { Model } from '../../../ir/model.ts';
import { readModel } from '../../../ir/onnx/read.ts';
import { parseModel, printModel } from '../../../ir/text/index.ts';
import { Tensor } from '../../../ir/tensor.ts';
import { shared } from '../../paths.ts';

const folder = join(shared ?? '', 'models');
const files = shared === undefined ? [] : readdirSync(folder).filter((file) => file.endsWith('.onnx'));
/** Models small enough to be printed in full here: under so many bytes. */
const small = 300_000;

function read(file: string): { readonly model: Model; readonly size: number } {
  const bytes = readFileSync(join(folder, file));
  return { model: readModel(memorySource(bytes, file)), size: bytes.length };
}

function tensorsOf(model: Model): Map<string, Tensor> {
  const tensors = new Map<string, Tensor>();
  const add = (tensor: Tensor | undefined): void => { if (tensor !== undefined) tensors.set(tensor.hash(), tensor); };
  const nodes = [...model.graph.walk()];
  for (const graph of new Set([model.graph, ...nodes.map(({ graph }) => graph)])) for (const { tensor } of [...graph.inputs, ...graph.constants]) add(tensor);
  for (const { attributes } of nodes) for (const attribute of attributes.values()) if (attribute.kind === 'tensor') add(attribute.value);
  return tensors;
}

describe('text: real models', () => {
  if (files.length === 0) it.skip('skipped: no models beside the repository');
  for (const file of files) {
    it(file, function () {
      this.timeout(30_000);
      const { model, size } = read(file);
      const hash = hashModel(model, { exact: true });
      const tensors = tensorsOf(model);
      const text = printModel(model, { elideAbove: 16 });
      const back = parseModel(text, { name: `${file}.onnxtxt`, tensor: (wanted) => tensors.get(wanted) });
      expect(hashModel(back, { exact: true })).to.equal(hash);
      expect(printModel(back, { elideAbove: 16 })).to.equal(text);
      if (size < small) expect(hashModel(parseModel(printModel(model)), { exact: true })).to.equal(hash);
    });
  }
});
