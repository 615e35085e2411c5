import { createRequire } from 'node:module';
import { expect } from 'chai';
import fc from 'fast-check';
import { inferTypes } from '../../../compiler/manager.ts';
import { createRuntime, type OrtRuntime } from '../../../compiler/runtime/runtime.ts';
import { loadTarget, targetNames } from '../../../compiler/targets.ts';
import { cloneModel } from '../../../ir/clone.ts';
import type { Model, Value } from '../../../ir/model.ts';
import { defaultPlacement, placementOf } from '../../../passes/placement/placement.ts';
import { tableRole } from '../../../passes/placement/roles.ts';
import { modelOf, placementCases, recordCase, type PlacementCase } from './cases.ts';
import { describePlacement } from './describe.ts';
import { randomNetwork } from './random-network.ts';
import { shuffled } from './shuffle.ts';

/** UPDATE=1 records what the code does; read the difference. */
const update = process.env['UPDATE'] === '1' && !process.env['CI'];

describe('placement', () => {
  let runtime: OrtRuntime;
  before(() => { runtime = createRuntime(); });
  after(() => runtime.close());

  const typed = async (each: PlacementCase): Promise<Model> => {
    const model = modelOf(each);
    await inferTypes(model, runtime);
    return model;
  };

  for (const each of placementCases()) {
    it(each.name, async () => {
      const model = await typed(each);
      const lines = describePlacement(placementOf(model, loadTarget(each.target), each.options));
      if (update) recordCase(each, lines);
      else expect(lines).to.deep.equal(each.expected);
    });
  }

  it('does not depend on the order of nodes, of uses, or of the inputs of Add and Mul', async () => {
    for (const each of placementCases()) {
      const model = await typed(each);
      const wanted = describePlacement(placementOf(model, loadTarget(each.target), each.options));
      fc.assert(fc.property(fc.array(fc.nat(1 << 20), { minLength: 200, maxLength: 200 }), (numbers) => {
        const other = shuffled(cloneModel(model), numbers);
        expect(describePlacement(placementOf(other, loadTarget(each.target), each.options)), each.name).to.deep.equal(wanted);
      }), { numRuns: 10, seed: 1 });
    }
  });

  it('finds something consistent for any graph, in any order', () => {
    fc.assert(fc.property(fc.array(fc.nat(1 << 20), { minLength: 30, maxLength: 240 }), fc.constantFrom('portable', 'onnxruntime-cpu'), fc.constantFrom('both', 'one', 'none'), (numbers, name, memoryBound) => {
      const model = randomNetwork(numbers);
      const place = (each: Model): string[] => describePlacement(placementOf(each, loadTarget(name), { ...defaultPlacement, memoryBound }));
      // placementOf checks itself and throws on a defect.
      const wanted = place(model);
      expect(place(shuffled(cloneModel(model), numbers))).to.deep.equal(wanted);
    }), { numRuns: 400, seed: 7 });
  });

  it('gives an input of a Concat that is much narrower its own scale, once magnitudes are known', async () => {
    const each = placementCases().find(({ name }) => name === 'golden/8-concat-shared')!;
    const model = await typed(each);
    const shares = (a: number, j: number): boolean => {
      const magnitude = (value: Value): number | undefined => new Map([['a', a], ['j', j]]).get(value.name);
      return describePlacement(placementOf(model, loadTarget('portable'), { ...defaultPlacement, magnitude })).includes('one scale: a j');
    };
    expect([shares(1, 4), shares(1, 4.01), shares(0, 4)]).to.deep.equal([true, false, true]);
  });

  it('knows a role for every operator that a target names, and the fitting one', () => {
    for (const name of targetNames) {
      const { placement: { weighted, elementwise, copies } } = loadTarget(name);
      const rolesOf = (ops: readonly string[]): Set<string> => new Set(ops.map((op) => tableRole(op) ?? `none for ${op}`));
      expect([...rolesOf(weighted)], name).to.deep.equal(['weighted']);
      expect([...rolesOf(copies)], name).to.deep.equal(['copy']);
      expect([...rolesOf(elementwise.filter((op) => op !== 'Resize'))], name).to.have.members(name === 'onnxruntime-cpu' ? ['elementwise', 'pool', 'concat', 'pointwise'] : ['elementwise', 'pool', 'concat']);
    }
  });

  it('knows a role for every operator of ONNX', () => {
    const names = Object.keys(createRequire(import.meta.url)('#specs/onnx-ops.json') as object).filter((name) => !name.includes('::'));
    expect(names.filter((name) => tableRole(name) === undefined)).to.deep.equal([]);
  });

  it('leaves the model as it is', async () => {
    for (const each of placementCases()) {
      const model = await typed(each);
      const { version } = model;
      placementOf(model, loadTarget(each.target), each.options);
      expect(model.version, each.name).to.equal(version);
    }
  });
});
