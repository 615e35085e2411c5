import type { PlacementRecord } from '../../../passes/quantize/record.ts';
import type { Report } from '../report.ts';
import { formatBytes, formatCount } from '../table.ts';
import { html, type Markup } from './markup.ts';
import { percentText } from './numbers.ts';

type Card = readonly [term: string, value: string, detail: string];

/** What was compiled, by what, and the figures that most people come for. */
export function header(report: Report, placement: PlacementRecord | undefined): Markup {
  const { recipe: { file, sha256 }, target, version, outputs } = report;
  const made = Object.keys(outputs).at(-1);
  const cards = [...accuracyCards(report), sizeCard(report), ...int8Cards(placement), nodeCard(report), warningCard(report)];
  return html`<header><h1><bdi>${made ?? file}</bdi></h1>
<p class="note">${made !== undefined && html`from <bdi>${file}</bdi> `}for ${target}, by onnxpress ${version}; recipe <code title="${sha256}">${sha256.slice(0, 12)}</code></p>
<dl class="cards">${cards.map(([term, value, detail]) => html`<div><dt>${term}</dt><dd>${value}</dd><dd class="detail">${detail}</dd></div>`)}</dl></header>`;
}

function accuracyCards({ evaluation }: Report): Card[] {
  const scores = evaluation?.models.at(-1)?.scores ?? [];
  const score = scores.find(({ name, change }) => name !== 'agreement' && change !== undefined);
  const agreement = scores.find(({ name }) => name === 'agreement');
  const signed = (value: number): string => `${value < 0 ? '−' : value > 0 ? '+' : ''}${Math.abs(value).toFixed(2)}`;
  const cards: Card[] = [];
  if (score?.change !== undefined) {
    const { difference, low, high } = score.change;
    cards.push([`change of ${score.name}`, `${signed(difference)}${score.unit === 'percent' ? ' points' : ''}`, `${signed(low)} … ${signed(high)} with 95 % confidence`]);
  }
  if (agreement !== undefined) cards.push(['agreement', `${agreement.value.toFixed(2)} %`, 'of samples with the original']);
  return cards;
}

/** The size that an engine holds where it was measured, else that of the constants. */
function sizeCard({ evaluation, model }: Report): Card {
  const [first, last] = [evaluation?.models[0], evaluation?.models.at(-1)];
  const measured = first !== undefined && last !== undefined;
  const [before, after] = measured ? [first.deployedBytes, last.deployedBytes] : [model.before.bytes, model.after.bytes];
  return [measured ? 'deployed weights' : 'constants', formatBytes(after), before === after ? 'as before' : `of ${formatBytes(before)}`];
}

function int8Cards(placement: PlacementRecord | undefined): Card[] {
  if (placement === undefined) return [];
  const { layers, macs: { share } } = placement;
  return [
    ...(share === null ? [] : [['multiply-adds in int8', percentText(share), 'of those of layers with weights'] as const]),
    ['layers in int8', String(layers.filter(({ int8 }) => int8).length), `of ${layers.length} that could have been`],
  ];
}

function nodeCard({ model: { before, after } }: Report): Card {
  return ['nodes', formatCount(after.nodes), `${formatCount(before.nodes)} before`];
}

function warningCard({ diagnostics: { length } }: Report): Card {
  return ['warnings', String(length), length === 0 ? 'nothing to look at' : 'see below'];
}
