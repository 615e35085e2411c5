import { expect } from 'chai';
import { readdirSync } from 'node:fs';
import { join } from 'node:path';
import { loadTarget, targetNames } from '../../compiler/targets.ts';
import { Diagnostic } from '../../ir/diagnostic.ts';
import { isDType } from '../../ir/dtype.ts';
import { root } from '../paths.ts';

const versions = ['opset', 'irVersion'] as const;

describe('targets', () => {
  it('has a file for every name and a name for every file', () => {
    expect(readdirSync(join(root, 'specs/targets')).sort()).to.deep.equal(targetNames.map((name) => `${name}.json`).sort());
  });

  for (const name of targetNames) {
    it(`${name} is complete and agrees with itself`, () => {
      const { opset, irVersion, numbers, placement, alignment, runsOn, ...rest } = loadTarget(name);
      expect(rest).to.have.all.keys('name', 'summary');
      expect(runsOn).to.equal(name === 'onnxruntime-cpu' ? 'onnxruntime' : 'tensorrt');
      expect(rest.name).to.equal(name);
      for (const { min, max, prefer } of [opset, irVersion]) {
        expect(prefer).to.be.within(min, max);
      }
      expect(isDType(numbers.activations.type)).to.equal(true);
      // Per-channel scales exist since opset 13: no target may prefer less.
      expect(opset.prefer).to.be.at.least(13);
      expect(numbers.weights).to.deep.include({ type: 'int8', symmetric: true, perChannel: true });
      expect(Object.keys(placement)).to.have.members([
        'weighted', 'elementwise', 'copies', 'epilogue', 'concat', 'pairs', 'residual', 'convRanks', 'minChannels', 'groupAlignment', 'gemv', 'maxSequence', 'maskedAttention', 'bodies',
      ]);
      expect(Object.keys(alignment)).to.have.members(['int8', 'float16', 'float']);
    });
  }

  it('makes portable fit every TensorRT: its ranges lie in theirs, its numbers are those of the strictest', () => {
    const portable = loadTarget('portable');
    for (const name of targetNames.filter((each) => each.startsWith('tensorrt-'))) {
      const target = loadTarget(name);
      for (const version of versions) {
        expect(portable[version].min, name).to.be.at.least(target[version].min);
        expect(portable[version].max, name).to.be.at.most(target[version].max);
      }
      expect(portable.numbers.activations, name).to.deep.equal(target.numbers.activations);
      expect(portable.numbers.bias, name).to.equal(target.numbers.bias);
    }
    expect(portable.numbers.weights).to.deep.equal(loadTarget('tensorrt-8').numbers.weights);
  });

  for (const name of ['tensorrt', 'TensorRT-10', '', '../recipe.schema', 'constructor']) {
    it(`refuses '${name}' with the names that exist`, () => {
      expect(() => loadTarget(name)).to.throw(Diagnostic).that.deep.includes({ code: 'recipe/unknown-target', expected: targetNames, actual: name });
    });
  }
});
