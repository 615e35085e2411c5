import { expect } from 'chai';
import { createHash } from 'node:crypto';
import { writeFileSync } from 'node:fs';
import { readReport, reportText } from '../../../compiler/report/file.ts';
import { reportHtml } from '../../../compiler/report/html/page.ts';
import { script } from '../../../compiler/report/html/script.ts';
import type { Report } from '../../../compiler/report/report.ts';
import type { ClassRecord, PlacementRecord } from '../../../passes/quantize/record.ts';
import { recipe, Workplace } from '../workplace.ts';
import { checkPage, type PageElement } from './page-check.ts';
import { pruned } from './prunings.ts';
import { evaluation, layer, placement, quantized, report, step } from './reports.ts';

/** The layers of a page: their ids, and what they are sorted and filtered by. */
const rows = (elements: readonly PageElement[]): PageElement[] => elements.filter(({ name, attributes }) => name === 'details' && attributes.has('id'));

/** Text between two marks. */
const between = (page: string, from: string, to: string): string => page.slice(page.indexOf(from), page.indexOf(to, page.indexOf(from)));

/** What a reader sees of some markup, on one line. */
const seen = (markup: string): string => markup.replaceAll(/<[^>]*>/g, ' ').replaceAll(/\s+/g, ' ').trim();

const mixed = [
  layer('a', { macs: 300, sqnr: 40, fused: ['relu'], origin: ['conv', 'bn'] }), layer('b', { macs: 500, sqnr: 20 }), layer('c', { op: 'Add', macs: 0, sqnr: null }),
  layer('d', { op: 'Gemm', int8: false, rule: 'PRN-02', reason: 'too small', macs: 200 }), layer('e', { op: 'LSTM', int8: false, rule: 'REC-01', reason: 'recurrent', macs: null }),
].map(({ node, op, origin, int8, rule, reason, macs, ...more }) => ({ node, op, origin, int8, rule, reason, macs, ...(int8 && more) }));

/** A report of one layer that reads a value of this class. */
const withClass = (scaleClass: ClassRecord): Report => quantized([layer('a')], { records: { placement: { ...placement([layer('a')]), classes: [scaleClass] } } });

const reports: Readonly<Record<string, Report>> = {
  'nothing but an export': report(),
  'no steps and no outputs': report([], { outputs: {} }),
  'remarks without quantization': report([step({ remarks: [{ kind: 'applied', rule: 'fold/x', message: 'folded', node: { name: 'n', op: 'Conv', origin: ['n'] } }] })]),
  'steps that did not run': report([step({ id: 'a', skipped: 'its condition does not hold' }), step({ id: 'b', reverted: 'missed its budget' })]),
  quantization: quantized(mixed),
  pruning: pruned(),
  'all in int8': quantized([layer('a')]),
  'nothing in int8': quantized(mixed.slice(3)),
  'times, selections and options': report([step({ selected: ['n'], options: { amount: 0.3, list: [1, 'x'] }, stats: { things: 3 } })], { timings: { fold: 12.5 } }),
  evaluation: { ...quantized(mixed), evaluation },
  warnings: report([step()], {
    diagnostics: [{
      code: 'a/b', severity: 'warning', message: 'odd', file: 'r.yaml', range: { line: 3, column: 4, endLine: 3, endColumn: 9 }, node: { name: 'n', op: 'Conv', origin: [] },
      tensor: 't', step: 'fold', suggestion: 'Mend it.',
    }],
  }),
  'classes without distributions': withClass({ scale: 1, zeroPoint: 0, range: [0, 1], holds: [0, 1], method: 'fixed' }),
  'a constant zero': withClass({
    scale: 1, zeroPoint: 0, range: [0, 0], holds: [-128, 127], method: 'auto', seen: [0, 0], clipped: 0, histogram: { from: 0, width: 0, zeros: 10, counts: [] },
  }),
  'a record of somebody else': report([step({ records: { placement: { layers: 'many' } } })]),
};

describe('the page of a report', () => {
  for (const [what, each] of Object.entries(reports)) {
    it(`is well-formed, and loads nothing: ${what}`, () => {
      const elements = checkPage(reportHtml(each));
      expect(elements.filter(({ name }) => name === 'script')).to.have.length(1);
      const page = reportHtml(each).replace(script, '');
      expect(page).not.to.match(/NaN|undefined|Infinity|\[object/);
      expect(page).not.to.match(/https?:|@import|url\(/);
    });

    it(`is the same from the file of the report: ${what}`, () => {
      const place = new Workplace();
      try {
        place.write('r.json', reportText(each));
        expect(reportHtml(readReport(place.path('r.json'), 'r.json'))).to.equal(reportHtml(each));
      } finally {
        place.close();
      }
    });
  }

  it('allows its own script and no other', () => {
    const policy = checkPage(reportHtml(report())).find(({ attributes }) => attributes.get('http-equiv') === 'Content-Security-Policy')!.attributes.get('content')!;
    expect(policy).to.contain(`script-src &#39;sha256-${createHash('sha256').update(script).digest('base64')}&#39;`).and.to.contain('default-src &#39;none&#39;');
  });

  it('has every layer, in graph order, with what it is filtered and sorted by', () => {
    const found = rows(checkPage(reportHtml(quantized(mixed)))).map(({ attributes }) => ['id', 'data-o', 'data-p', 'data-m', 'data-s'].map((name) => attributes.get(name)));
    expect(found).to.deep.equal([
      ['l1', 'Conv', 'int8', '300', '40'], ['l2', 'Conv', 'int8', '500', '20'], ['l3', 'Add', 'int8', '0', undefined],
      ['l4', 'Gemm', 'float', '200', undefined], ['l5', 'LSTM', 'float', undefined, undefined],
    ]);
  });

  it('says of a layer what was decided, what it costs, and how noisy it is among all', () => {
    const page = reportHtml(quantized(mixed, { remarks: [
      { kind: 'applied', rule: 'quantize-int8/PLC-01', message: mixed[0]!.reason, node: { name: 'a', op: 'Conv', origin: ['conv', 'bn'] } },
      { kind: 'analysis', rule: 'quantize-int8/dead-channels', message: 'two are dead', node: { name: 'a', op: 'Conv', origin: ['conv', 'bn'] } },
      { kind: 'analysis', rule: 'calibrate/nan', message: 'held NaN', tensor: 'a_input' },
      { kind: 'missed', rule: 'fold/x', message: 'of another', node: { name: 'b', op: 'Conv', origin: ['b'] } },
    ] }));
    const text = seen(between(page, '<details id="l1"', '<details id="l2"'));
    // 300 of 1000 multiply-adds; 20 dB is noisier.
    expect(text).to.match(/^1 a Conv int8 PLC-01: a convolution whose channels fill an int8 kernel 30\.0 % 40\.0 dB rank 2 /);
    expect(text).to.contain('in its kernel: relu').and.to.contain('made of conv , bn').and.to.contain('error alone 42.0 dB').and.to.contain('rounding nearest');
    expect(text).to.contain('scale 0.25, zero point 0; range −31.75 … 31.75 by auto; 0.10 % clipped; 12.3 k zeros not drawn');
    expect(text.slice(text.indexOf('Remarks'))).to.equal('Remarks quantize-int8 analysis, dead-channels: two are dead quantize-int8 analysis, nan: held NaN');
  });

  it('says what was measured of a layer', () => {
    const sensitivity = [{ node: 'b', predicted: 20, measured: 31.25 }, { node: 'a', predicted: 40, measured: null }];
    const page = reportHtml(quantized(mixed, { records: { placement: placement(mixed), sensitivity } }));
    expect(seen(between(page, '<details id="l2"', '<details id="l3"'))).to.contain('measured at the outputs, with this layer alone in int8: 31.3 dB');
    expect(seen(between(page, '<section id="noise"', '</section>'))).to.match(/noisiest of 1: b 31\.3 dB$/);
  });

  it('sums up why layers stayed float, the dearest first', () => {
    expect(seen(between(reportHtml(quantized(mixed)), '<section id="float"', '</section>'))).to.equal(
      'Why layers stayed float rule reason layers multiply-adds which PRN-02 too small 1 20.0 % d REC-01 recurrent 1 — e',
    );
    expect(seen(between(reportHtml(quantized([layer('a')])), '<section id="float"', '</section>'))).to.equal('Why layers stayed float None did.');
  });

  it('shows the models side by side, with intervals', () => {
    const text = seen(between(reportHtml(reports['evaluation']!), '<section id="evaluation"', '</section>'));
    expect(text).to.contain('top1 in % 92.80 93.00 (+0.20, -0.40 … +0.80)').and.to.contain('SQNR in dB equal').and.to.contain('deployed weights 1.00 kB 250 B').and.to.contain('557 samples');
  });

  describe('lets nothing of a report become markup', () => {
    const hostile = '"><script>alert(1)</script><!-- \' & &amp; </title></style> \u0000\u0007\u202e\u061c\u2066\ud800 javascript:x ]]>';
    const kept = new Set(['kind', 'severity', 'unit', 'optimization', 'schema']);
    /** The report with every text, and every name of a table, replaced. */
    const spoilt = (value: unknown, key = ''): unknown => {
      if (typeof value === 'string') return kept.has(key) || value === 'agreement' ? value : `${value}${hostile}`;
      if (Array.isArray(value)) return value.map((each) => spoilt(each, key));
      if (typeof value !== 'object' || value === null) return value;
      const isTable = ['inputs', 'outputs', 'nodes', 'options', 'stats', 'operators'].includes(key);
      return Object.fromEntries(Object.entries(value).map(([name, each]) => [isTable ? `${name}${hostile}` : name, spoilt(each, name)]));
    };
    for (const [what, each] of Object.entries(reports)) {
      it(what, () => {
        const page = reportHtml(spoilt(each) as Report);
        const shape = (elements: readonly PageElement[]): string[] => elements.map(({ name, attributes }) => `${name} ${[...attributes.keys()].join(' ')}`);
        expect(shape(checkPage(page))).to.deep.equal(shape(checkPage(reportHtml(each))));
      });
    }

    it('a name of a megabyte', () => {
      expect(reportHtml(quantized([layer('x'.repeat(1e6))])).length).to.be.below(60_000);
    });
  });

  it('of 2000 layers is small enough to open at once', () => {
    const page = reportHtml(quantized(Array.from({ length: 2000 }, (_, index) => layer(`/model/layers.${index}/self_attn/q_proj/MatMul`))));
    expect(rows(checkPage(page))).to.have.length(2000);
    expect(page.length).to.be.below(4e6);
  });
});

/** One convolution that is large enough for int8. */
const convolution = `<ir_version: 8, opset_import: ["": 17]>
small (float[1,16,8,8] image) => (float[1,16,8,8] result) <
  float[16,16,1,1] kernel = {${Array.from({ length: 256 }, (_, index) => ((index * 37) % 101) / 101 - 0.5).join(', ')}}
> {
  [conv] c = Conv (image, kernel)
  [relu] result = Relu (c)
}
`;

describe('compile --html', () => {
  let place: Workplace;
  beforeEach(() => {
    place = new Workplace();
    place.writeModel('small.onnx', convolution);
    const data = 'data:\n  calibration: { random: { seed: 1 }, samples: 4 }\n';
    place.write('recipe.yaml', recipe('small.onnx', '  - fold\n  - calibrate\n  - quantize-int8\n').replace('steps:', `${data}steps:`));
  });
  afterEach(() => { place.close(); });

  it('writes what `report` makes of the JSON, byte for byte, with a drawing of each distribution', async () => {
    const compiled = await place.run(['compile', 'recipe.yaml', '--html', 'out/page.html', '--report', 'out/report.json']);
    expect(compiled.code, compiled.err).to.equal(0);
    expect(compiled.err).to.contain('\nout/page.html\n');
    const elements = checkPage(place.read('out/page.html'));
    const { steps } = JSON.parse(place.read('out/report.json')) as Report;
    const { classes } = steps.find(({ pass }) => pass === 'quantize-int8')!.records!['placement'] as PlacementRecord;
    expect(classes).to.have.length.above(0);
    expect(elements.filter(({ name }) => name === 'symbol')).to.have.length(classes.length);
    const made = await place.run(['report', 'out/report.json', '-o', 'again.html']);
    expect([made.code, made.out, made.err]).to.deep.equal([0, '', '']);
    expect(place.read('again.html')).to.equal(place.read('out/page.html'));
  });

  it('gives the same bytes twice', async () => {
    const pages: string[] = [];
    for (let time = 0; time < 2; time++) {
      await place.run(['compile', 'recipe.yaml', '--html', 'page.html', '--reproducible']);
      pages.push(place.read('page.html'));
    }
    expect(pages[1]).to.equal(pages[0]);
  });

  it('does not write over what it reads, or over the report', async () => {
    for (const [html, more] of [['small.onnx', []], ['r.json', ['--report', 'r.json']]] as const) {
      const { code, err } = await place.run(['compile', 'recipe.yaml', '--html', html, ...more]);
      expect([code, err]).to.satisfy(([each, text]: [number, string]) => each === 2 && text.includes('output/conflict'));
    }
    place.write('r.json', reportText(report()));
    expect((await place.run(['report', 'r.json', '-o', './r.json'])).err).to.contain('output/conflict');
  });

  const unreadable: Readonly<Record<string, string>> = {
    'no JSON': '{', 'no report': '[]',
    'a report without steps': JSON.stringify({ ...report(), steps: {} }), 'a report with a step of nothing': JSON.stringify({ ...report(), steps: [null] }),
    'a report without figures': JSON.stringify({ ...report(), model: {} }), 'a report with odd evaluations': JSON.stringify({ ...report(), evaluation: { ...evaluation, models: [] } }),
  };
  for (const [what, text] of Object.entries(unreadable)) {
    it(`says so where it cannot read ${what}`, async () => {
      writeFileSync(place.path('r.json'), text);
      const { code, err } = await place.run(['report', 'r.json', '-o', 'page.html']);
      expect(code).to.equal(2);
      expect(err).to.contain('error[usage/unreadable-report]');
      expect(place.has('page.html')).to.equal(false);
    });
  }
});
