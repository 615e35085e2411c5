/** Filters, sorts and opens the layers; without it, everything is there in graph order. */
export const script: string = `
'use strict';
(() => {
  const $ = (id) => document.getElementById(id);
  const [controls, list] = [$('controls'), $('list')];
  const opened = () => {
    const target = location.hash.length > 1 && $(decodeURIComponent(location.hash.slice(1)));
    if (!target || target.tagName !== 'DETAILS') return;
    target.hidden = false;
    target.open = true;
    target.scrollIntoView();
  };
  addEventListener('hashchange', opened);
  if (!controls) return;
  const layers = [...list.querySelectorAll('details')];
  const texts = new Map();
  const textOf = (layer) => {
    if (!texts.has(layer)) texts.set(layer, layer.textContent.toLowerCase());
    return texts.get(layer);
  };
  const value = (id) => ($(id) ? $(id).value : '');
  const filter = () => {
    const words = value('search').toLowerCase().split(/\\s+/).filter(Boolean);
    const [operator, precision] = [value('operator'), value('precision')];
    let shown = 0;
    for (const layer of layers) {
      const fits = (!operator || layer.dataset.o === operator) && (!precision || layer.dataset.p === precision) && (words.length === 0 || words.every((word) => textOf(layer).includes(word)));
      layer.hidden = !fits;
      if (fits) shown++;
    }
    $('shown').textContent = shown + ' of ' + layers.length + ' shown';
  };
  const number = (text, missing) => (text === undefined ? missing : Number(text));
  const orders = {
    g: () => 0,
    s: (a, b) => number(a.dataset.s, 1e9) - number(b.dataset.s, 1e9),
    m: (a, b) => number(b.dataset.m, -1) - number(a.dataset.m, -1),
    n: (a, b) => { const name = (layer) => layer.querySelector('bdi').textContent; return name(a) < name(b) ? -1 : 1; },
  };
  const sort = () => list.append(...[...layers].sort(orders[value('order') || 'g']));
  const most = 300;
  controls.hidden = false;
  controls.addEventListener('submit', (event) => event.preventDefault());
  controls.addEventListener('input', (event) => (event.target.id === 'order' ? sort() : filter()));
  $('open').addEventListener('click', () => { for (const layer of layers.filter((each) => !each.hidden).slice(0, most)) layer.open = true; });
  $('close').addEventListener('click', () => { for (const layer of layers) layer.open = false; });
  controls.reset();
  filter();
  opened();
})();
`;
