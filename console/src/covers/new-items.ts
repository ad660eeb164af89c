/** A cover to be added: a picture that was dropped, or an address. */
export interface NewItem {
  readonly id: string;
  readonly source: { readonly file: File } | { readonly url: string };
  readonly title?: string;
}

/** A file's name without its extension; where two are the same, the later ones get a number. */
export function itemsOfFiles(files: readonly File[]): NewItem[] {
  const nameId = createIds();
  return files.map((file) => ({ id: nameId(file.name.replace(/\.[^.]+$/, '')), source: { file } }));
}

/** One cover a line: its address, or id and address and perhaps a title with a tab between each. */
export function itemsOfLines(text: string): NewItem[] {
  const nameId = createIds();
  return text
    .split(/\r?\n/)
    .map((line) => line.split('\t').map((column) => column.trim()))
    .filter(([first]) => first !== '')
    .map(([first = '', second, third]) => {
      if (second === undefined || second === '') return { id: nameId(lastSegment(first)), source: { url: first } };
      return { id: first, source: { url: second }, ...(third ? { title: third } : {}) };
    });
}

const MAX_ID_BYTES = 256;

function createIds(): (wanted: string) => string {
  const taken = new Set<string>();
  return (wanted) => {
    const base = shortened(wanted === '' ? 'cover' : wanted);
    let id = base;
    for (let number = 2; taken.has(id); number++) id = `${base}-${number}`;
    taken.add(id);
    return id;
  };
}

/** Leaves room for a number. */
function shortened(id: string): string {
  let short = id;
  while (new TextEncoder().encode(short).length > MAX_ID_BYTES - 8) short = [...short].slice(0, -1).join('');
  return short;
}

function lastSegment(url: string): string {
  try {
    const segment = decodeURIComponent(new URL(url).pathname).split('/').filter(Boolean).at(-1) ?? '';
    return segment.replace(/\.[^.]+$/, '');
  } catch {
    return url;
  }
}
