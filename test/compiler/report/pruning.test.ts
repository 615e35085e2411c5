import { expect } from 'chai';
import fc from 'fast-check';
import { normsPlot } from '../../../compiler/report/html/norms.ts';
import { reportHtml } from '../../../compiler/report/html/page.ts';
import { script } from '../../../compiler/report/html/script.ts';
import type { Report } from '../../../compiler/report/report.ts';
import type { GroupRecord, PruningRecord } from '../../../passes/prune/record.ts';
import { checkPage, type PageElement } from './page-check.ts';
import { channelGroup, pruned, pruning } from './prunings.ts';
import { step } from './reports.ts';

/** What a reader sees of some markup, on one line. */
const seen = (markup: string): string => markup.replaceAll(/<[^>]*>/g, ' ').replaceAll(/\s+/g, ' ').trim();

const section = (page: string, number = 1): string => {
  const from = page.indexOf(`<section id="pruning${number}"`);
  return from < 0 ? '' : page.slice(from, page.indexOf('</section>', from));
};

/** A picture read as strictly as a page. */
const readPicture = (picture: string): PageElement[] => checkPage(`<!doctype html>\n${picture}`);

/** The outlines of the drawings in a picture: by group and view, then by what they show. */
function outlines(groups: readonly GroupRecord[]): Record<string, Record<string, string>> {
  const symbols = normsPlot(pruning({ groups })).matchAll(/<symbol id="(\w+)" viewBox="0 0 (\d+) 100"[^>]*>(.*?)<\/symbol>/g);
  return Object.fromEntries(Array.from(symbols, ([, id, width, body]) => [
    id!, { width: width!, ...Object.fromEntries(Array.from(body!.matchAll(/class="(\w+)" d="([^"]*)"/g), ([, name, path]) => [name!, path!])) },
  ]));
}

/** Heights of the bars that an outline draws, at the channels where they stand. */
function bars(path: string | undefined): Map<number, number> {
  const found = new Map<number, number>();
  let [x, y] = [0, 100];
  for (const [, command, text] of (path ?? '').matchAll(/([VhM])([\d. ]+)/g)) {
    if (command === 'V') y = Number(text);
    if (command !== 'h') continue;
    const end = x + Number(text);
    for (let channel = Math.round(x); y < 100 && channel < end; channel++) found.set(channel, 100 - y);
    x = Math.round(10 * end) / 10;
  }
  return found;
}

describe('the plot of norms', () => {
  it('has a bar for each channel in its order, sorted, and as it is now', () => {
    const group = channelGroup('g', { norms: [4, 1, 2, 3], kept: [true, false, true, true], normsAfter: [4, 1, 2] });
    expect(outlines([group])).to.deep.equal({
      n0before: { width: '4', stayed: 'M0 100V0h.8V100h.2h1V50h.8V100h.2V25h.8V100h.2z', gone: 'M0 100h1V75h.8V100h.2z' },
      n0sorted: { width: '4', stayed: 'M0 100V0h.8V100h.2V25h.8V100h.2V50h.8V100h.2z', gone: 'M0 100h3V75h.8V100h.2z' },
      n0after: { width: '4', stayed: 'M0 100V0h.8V100h.2V75h.8V100h.2V50h.8V100h.2z' },
    });
  });

  it('has one scale for what was and what is', () => {
    const { n0before, n0after } = outlines([channelGroup('g', { norms: [1, 1], kept: [true, false], normsAfter: [2] })]);
    expect([...bars(n0before!['stayed'])]).to.deep.equal([[0, 50]]);
    expect([...bars(n0after!['stayed'])]).to.deep.equal([[0, 100]]);
  });

  it('leaves out what is after where nothing changed', () => {
    expect(Object.keys(outlines([channelGroup('g', { norms: [1, 2], kept: [true, true], normsAfter: [1, 2] })]))).to.deep.equal(['n0before', 'n0sorted']);
    expect(Object.keys(outlines([channelGroup('g', { norms: [1, 2], kept: [true, true], normsAfter: [1, 1] })]))).to.have.length(3);
  });

  it('shows norms of nothing as no bar, and small ones as one', () => {
    const { n0before } = outlines([channelGroup('g', { norms: [0, 1e-6, 1], kept: [true, true, true], normsAfter: [0, 1e-6, 1] })]);
    expect([...bars(n0before!['stayed'])]).to.deep.equal([[1, 1], [2, 100]]);
  });

  it('draws every channel once, whatever stays', () => {
    const channels = fc.array(fc.record({ norm: fc.double({ min: 0.01, max: 10, noNaN: true }), stays: fc.boolean() }), { minLength: 1, maxLength: 300 });
    fc.assert(fc.property(channels, (each) => {
      const [norms, kept] = [each.map(({ norm }) => norm), each.map(({ stays }) => stays)];
      const most = Math.max(...norms);
      const drawn = outlines([channelGroup('g', { norms, kept, normsAfter: norms.filter((_, channel) => kept[channel]) })]);
      const expected = (which: boolean): [number, number][] => norms.flatMap((norm, channel): [number, number][] => (kept[channel] === which ? [[channel, Math.max(1, Math.round(100 * norm / most))]] : []));
      expect([...bars(drawn['n0before']!['stayed'])]).to.deep.equal(expected(true));
      expect([...bars(drawn['n0before']!['gone'])]).to.deep.equal(expected(false));
      const sorted = [...bars(drawn['n0sorted']!['stayed']), ...bars(drawn['n0sorted']!['gone'])].sort(([a], [b]) => a - b);
      expect(sorted.map(([, height]) => height)).to.deep.equal([...expected(true), ...expected(false)].map(([, height]) => height).sort((a, b) => b - a));
    }), { numRuns: 60 });
  });

  it('draws one channel in some of a group that is too wide, and says so', () => {
    const norms = Array.from({ length: 10_000 }, (_, channel) => 1 + channel % 97);
    const group = channelGroup('g', { norms, kept: norms.map(() => true), normsAfter: norms });
    expect(outlines([group])['n0before']!['width']).to.equal('3334');
    expect(seen(section(reportHtml(pruned(pruning({ groups: [group] })))))).to.contain('one channel in 3 is drawn');
  });

  it('is a file by itself, for light and dark ground, with two outlines at most in a drawing', () => {
    const picture = normsPlot(pruning());
    const elements = readPicture(picture);
    expect(elements[0]!.attributes.get('xmlns')).to.equal('http://www.w3.org/2000/svg');
    expect(elements.filter(({ name }) => name === 'symbol')).to.have.length(5);
    // Before and sorted of the group that loses channels have both colours.
    expect(elements.filter(({ name }) => name === 'path')).to.have.length(7);
    expect(elements.filter(({ name }) => name === 'use').map(({ attributes }) => attributes.get('href'))).to.deep.equal(['#n0before', '#n0sorted', '#n0after', '#n1before', '#n1sorted']);
    const [light, dark] = picture.slice(picture.indexOf('<style>'), picture.indexOf('</style>')).split('@media (prefers-color-scheme: dark)') as [string, string];
    for (const name of ['.ground', 'text', '.dim', '.stayed', '.gone']) for (const theme of [light, dark]) expect(theme).to.match(new RegExp(`\\${name[0] === '.' ? name : `s${name}`}[ ,][^}]*fill: #`));
    expect(seen(picture)).to.contain('4 → 2 channels, largest 4').and.to.contain('3 channels, largest 3');
  });

  it('of no groups is a picture still', () => {
    expect(normsPlot(pruning({ groups: [] }))).not.to.match(/NaN|Infinity|undefined/);
  });

  it('keeps names from becoming markup, and shortens long ones', () => {
    const hostile = '"><script>&\ufffe\u202e\u0000';
    const shape = (record: PruningRecord): string[] => readPicture(normsPlot(record)).map(({ name }) => name);
    const spoilt = pruning({ groups: [channelGroup(`${'x'.repeat(500)}${hostile}`)] });
    expect(shape(spoilt)).to.deep.equal(shape(pruning({ groups: [channelGroup('g')] })));
    expect(normsPlot(spoilt)).not.to.contain('\ufffe');
    expect(normsPlot(spoilt)).to.match(/<text y="10">…x+&quot;&gt;&lt;script&gt;&amp;/);
  });
});

describe('what was pruned, in the page', () => {
  const whole = seen(section(reportHtml(pruned())));

  it('says what the model costs, and how it was proved', () => {
    expect(whole).to.match(/^What was pruned multiply-adds 25\.0 % 250 of 1 k stay parameters 50\.0 % 100 of 200 stay weights 50\.0 % 400 B of 800 B stay channels removed 2 of 7, in 1 of 2 groups Proved by a run/);
    expect(whole).to.contain('no output differs by more than 1.2e−7 of its largest element.').and.to.contain('75.0 % of the parameters belonged to channels that could be removed; 3 channels had to stay.');
  });

  it('says what is not known', () => {
    const unknown = pruning({ cost: { before: { macs: null, parameters: 0, bytes: 0 }, after: { macs: null, parameters: 0, bytes: 0 } }, proof: null });
    const remark = { kind: 'analysis', rule: 'structured-prune/not-compared', message: 'the pruned model is not run beside the original: an input has no known shape' } as const;
    const text = seen(section(reportHtml(pruned(unknown, { remarks: [remark] }))));
    expect(text).to.match(/^What was pruned channels removed 2 .*The multiply-adds cannot be told\. The pruned model is not run beside the original: an input has no known shape\./);
    expect(seen(section(reportHtml(pruned(unknown))))).to.contain('The pruned model was not run beside the original.');
    expect(seen(section(reportHtml(pruned(pruning({ proof: 0 })))))).to.contain('set to zero: it gives exactly the same.');
  });

  it('shows each group: who makes and reads it, norms and scores of both kinds, and the drawings', () => {
    expect(whole).to.contain('conv1 4 → 2 channels, 83.3 % of the energy stays made by conv1 , conv2 ; read by conv3 norms 1 … 4; of those that stayed 3 … 4; of those removed 1 … 2; scores of those that stayed 30 … 40; of those removed 10 … 20');
    const elements = checkPage(reportHtml(pruned()));
    const uses = elements.filter(({ name }) => name === 'use').map(({ attributes }) => attributes.get('href'));
    // Once side by side, and once in its own part.
    for (const id of ['n1g0before', 'n1g0sorted', 'n1g0after', 'n1g1before', 'n1g1sorted']) expect(uses.filter((use) => use === `#${id}`), id).to.have.length(2);
    expect(uses).to.have.length(10);
  });

  it('lists layers with widths, costs, and how much of the hardware the new width wastes', () => {
    expect(whole).to.contain('conv1 Conv — 4 → 2 500 → 100 40 → 20 93.8 %').and.to.contain('conv3 Conv 64 → 48 64 unknown 160 → 80 0 %').and.to.contain('gemm Gemm 64 → 48 — 10 20 → 15 25.0 %');
    expect(section(reportHtml(pruned()))).to.contain('title="48 of 64 in use"').and.to.contain('title="2 of 32 in use"');
  });

  it('says what holds the other channels, by reason, with the way there', () => {
    const groups = [channelGroup('a', { pins: [{ reason: 'one', channels: 1, chain: ['p', 'q', 'r'] }, { reason: 'two', channels: 2, chain: ['p'] }] }), channelGroup('b', { pins: [{ reason: 'one', channels: 4, chain: ['z'] }] })];
    expect(seen(section(reportHtml(pruned(pruning({ groups })))))).to.contain('by way of one 5 a , b p → q → r two 2 a —');
    expect(whole).to.contain('Groups that lose nothing 1 group group could give why conv4 0 it has only channels that matter more');
  });

  it('shows what recovery gave', () => {
    const recovery = { method: 'mean', layers: [{ node: 'conv3', used: 'weights', dropped: 0.1, repaired: 0.01 }, { node: 'gemm', used: 'none', dropped: 0.001, repaired: 0.001 }, { node: 'conv1', used: 'bias', dropped: 0.01, repaired: 0 }] };
    expect(seen(section(reportHtml(pruned(pruning({ recovery })))))).to.contain('conv3 new weights 10.0 dB 20.0 dB +10.0 dB gemm left as it was 30.0 dB 30.0 dB — conv1 new bias 20.0 dB no error');
    expect(whole).not.to.contain('Recovery');
  });

  it('has a section for each step, with names of its own, and none for steps that were taken back', () => {
    const both = pruned(pruning(), { id: 'first' });
    const page = reportHtml({ ...both, steps: [...both.steps, step({ id: 'second', records: { pruning: pruning() } }), step({ id: 'third', reverted: 'missed', records: { pruning: pruning() } })] });
    checkPage(page);
    expect([1, 2, 3].map((number) => /^What was pruned by (\w+)/.exec(seen(section(page, number)))?.[1])).to.deep.equal(['first', 'second', undefined]);
  });

  it('leaves out records of somebody else', () => {
    for (const odd of [{ groups: 'many' }, { ...pruning(), groups: [{ ...channelGroup('g'), norms: [-1] }] }, 3]) {
      expect(section(reportHtml(pruned(odd as PruningRecord)))).to.equal('');
    }
  });

  it('is well-formed, loads nothing, and has no text of nothing', () => {
    const empty = pruning({ groups: [], layers: [] });
    for (const record of [pruning(), empty, pruning({ groups: [channelGroup('g', { norms: [], kept: [], normsAfter: [] })] })]) {
      checkPage(reportHtml(pruned(record)));
      expect(reportHtml(pruned(record)).replace(script, '')).not.to.match(/NaN|undefined|Infinity|\[object|https?:|url\(/);
    }
  });

  it('lets nothing of a record become markup', () => {
    const hostile = '"><script>alert(1)</script><!-- \' & </title></style> \u0000\u202e\ud800';
    const spoilt = (value: unknown): unknown => {
      if (typeof value === 'string') return `${value}${hostile}`;
      if (Array.isArray(value)) return value.map(spoilt);
      return typeof value === 'object' && value !== null ? Object.fromEntries(Object.entries(value).map(([key, each]) => [key, spoilt(each)])) : value;
    };
    const recovery = { method: 'mean', layers: [{ node: 'conv3', used: 'weights', dropped: 0.1, repaired: 0.01 }] };
    const shape = (report: Report): string[] => checkPage(reportHtml(report)).map(({ name, attributes }) => `${name} ${[...attributes.keys()].join(' ')}`);
    expect(shape(pruned(spoilt(pruning({ recovery })) as PruningRecord))).to.deep.equal(shape(pruned(pruning({ recovery }))));
  });

  it('folds what is long, and stays light', () => {
    const norms = Array.from({ length: 2000 }, (_, channel) => 1 + ((channel * 7919) % 2003) / 2003);
    const kept = norms.map((_, channel) => channel % 3 !== 0);
    const size = (groups: readonly GroupRecord[]): number => section(reportHtml(pruned(pruning({ groups })))).length;
    const base = size([]);
    // Three outlines of about six characters a channel, where they are one group.
    expect(size([channelGroup('g', { norms, kept, normsAfter: norms.filter((_, channel) => kept[channel]) })]) - base).to.be.below(45_000);
    const small = Array.from({ length: 200 }, (_, index) => channelGroup(`/model/layers.${index}/conv/Conv`, { norms: norms.slice(0, 10), kept: kept.slice(0, 10), normsAfter: norms.slice(0, 6) }));
    expect(size(small) - base).to.be.below(500_000);
    const details = checkPage(reportHtml(pruned(pruning({ groups: small })))).filter(({ name }) => name === 'details');
    // The layers of the record are few; 200 groups are not.
    expect(details.filter(({ attributes }) => attributes.has('open'))).to.have.length(1);
    expect(details).to.have.length(202);
  });
});
