import { expect } from 'chai';
import { Editor } from '../../ir/edit.ts';
import { smallModel } from './build.ts';

describe('ir/edit: labels', () => {
  it('gives the labels of a removed body away again, those of its slots too', () => {
    const { model, graph } = smallModel();
    const edit = new Editor(model);
    edit.setOutput(graph, 1, undefined);
    edit.remove(graph.last!);
    expect(['yes_out', 'no_out', 'half', 'neg_output'].map((name) => edit.label('value', name))).to.deep.equal(['yes_out', 'no_out', 'half', 'neg_output']);
  });

  it('keeps what annotations say when a tensor that they name is renamed', () => {
    const { model, graph, value, node } = smallModel();
    Object.assign(node('relu').output, { quantization: new Map([['SCALE_TENSOR', 'w'], ['ZERO_POINT_TENSOR', 'z0']]) });
    const edit = new Editor(model);
    edit.rename(value('half'), 'w2');
    edit.rename(value('w'), 'scale');
    expect([...graph.first!.output.quantization!]).to.deep.equal([['SCALE_TENSOR', 'scale'], ['ZERO_POINT_TENSOR', 'z0']]);
  });
});
