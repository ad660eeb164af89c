import { readFileSync } from 'node:fs';
import { failure } from '../core/errors.ts';

/** Token ids of one text: [CLS] … [SEP], cut to the context length, not padded. */
export interface TokenizedText {
  readonly ids: readonly number[];
  /** True when pieces were cut off. */
  readonly truncated: boolean;
}

export interface Tokenizer {
  tokenize(text: string): TokenizedText;
  /** The same text with another limit, as a reranker with a shorter context wants it. */
  tokenizeTo(text: string, contextLength: number): TokenizedText;
}

export interface TokenizerOptions {
  readonly vocabFile: string;
  readonly contextLength: number;
  readonly lowerCase: boolean;
  readonly maxWordCharacters: number;
  /**
   * True: as transformers' BertTokenizer reads a text. A literal `[CLS]`, `[SEP]`, `[MASK]`, `[PAD]` or `[UNK]` becomes that
   * special id, private and unassigned characters are dropped as control characters are, and case is lowered character by
   * character. False: as Google's tokenizer does.
   */
  readonly specialTokensInText: boolean;
}

/** Control and format characters, NUL among them. */
const CONTROL = /[\p{Cc}\p{Cf}]/u;
/** All of Unicode's category C: those, and private, unassigned and lone surrogate ones. */
const ANY_OTHER = /\p{C}/u;

const SPECIAL_TOKENS = ['[PAD]', '[UNK]', '[CLS]', '[SEP]', '[MASK]'] as const;

/**
 * BERT's basic tokenizer and WordPiece as Google released them with the Chinese model and CN-CLIP copied them. Written
 * here because the packaged tokenizers leave out CJK extension blocks that the original separates.
 */
export function createTokenizer(options: TokenizerOptions): Tokenizer {
  const vocab = readVocabulary(options.vocabFile);
  const special = new Map(SPECIAL_TOKENS.map((token) => [token as string, vocab.get(token)]));
  const unknown = requireToken(vocab, '[UNK]');
  const start = requireToken(vocab, '[CLS]');
  const end = requireToken(vocab, '[SEP]');

  function tokenizeTo(text: string, contextLength: number): TokenizedText {
    const ids: number[] = [start];
    const limit = contextLength - 1;
    for (const word of words(text)) {
      pushPieces(word, ids);
      // A long text costs no more than what is kept of it.
      if (ids.length > limit) break;
    }
    const truncated = ids.length > limit;
    if (truncated) ids.length = limit;
    ids.push(end);
    return { ids, truncated };
  }

  function* words(text: string): Generator<string> {
    if (!options.specialTokensInText) {
      yield* basicTokens(text, options.lowerCase, CONTROL);
      return;
    }
    for (const part of text.split(/(\[(?:PAD|UNK|CLS|SEP|MASK)\])/)) {
      if (special.get(part) !== undefined) yield part;
      else yield* basicTokens(options.lowerCase ? lowerEach(part) : part, options.lowerCase, ANY_OTHER);
    }
  }

  /** Greedy longest match first; a word with a part that the vocabulary lacks is one [UNK]. */
  function pushPieces(word: string, ids: number[]): void {
    const specialId = options.specialTokensInText ? special.get(word) : undefined;
    if (specialId !== undefined) {
      ids.push(specialId);
      return;
    }
    const characters = Array.from(word);
    if (characters.length > options.maxWordCharacters) {
      ids.push(unknown);
      return;
    }
    const firstPiece = ids.length;
    let from = 0;
    while (from < characters.length) {
      let to = characters.length;
      let id: number | undefined;
      for (; to > from; to--) {
        id = vocab.get((from > 0 ? '##' : '') + characters.slice(from, to).join(''));
        if (id !== undefined) break;
      }
      if (id === undefined) {
        ids.length = firstPiece;
        ids.push(unknown);
        return;
      }
      ids.push(id);
      from = to;
    }
  }

  return { tokenize: (text) => tokenizeTo(text, options.contextLength), tokenizeTo };
}

/** Piece → id, the id being the line's number from 0; of a piece that stands twice the later line counts. */
export function readVocabulary(file: string): ReadonlyMap<string, number> {
  const lines = readFileSync(file, 'utf8').split(/\r\n|\r|\n/);
  if (lines.at(-1) === '') lines.pop();
  return new Map(lines.map((line, id) => [line.trim(), id]));
}

function requireToken(vocab: ReadonlyMap<string, number>, token: string): number {
  const id = vocab.get(token);
  if (id === undefined) throw failure('invalid_bundle', `The vocabulary lacks ${token}.`);
  return id;
}

/** Cleaned, CJK characters set apart, lower-cased without accents, split at white space and punctuation. */
function* basicTokens(text: string, lowerCase: boolean, dropped: RegExp): Generator<string> {
  for (const rawWord of splitWords(text, dropped)) {
    const word = lowerCase ? stripAccents(rawWord.toLowerCase()) : rawWord;
    let pending = '';
    for (const character of word) {
      if (isPunctuation(character)) {
        if (pending !== '') yield pending;
        yield character;
        pending = '';
      } else if (/\s/u.test(character)) {
        if (pending !== '') yield pending;
        pending = '';
      } else {
        pending += character;
      }
    }
    if (pending !== '') yield pending;
  }
}

function* splitWords(text: string, dropped: RegExp): Generator<string> {
  let word = '';
  for (const character of text) {
    if (isDropped(character, dropped)) continue;
    const alone = isCjk(character.codePointAt(0) ?? 0);
    if (alone || /\s/u.test(character)) {
      if (word !== '') yield word;
      if (alone) yield character;
      word = '';
    } else {
      word += character;
    }
  }
  if (word !== '') yield word;
}

/** The replacement character and what `dropped` matches; tab and line ends count as white space instead. */
function isDropped(character: string, dropped: RegExp): boolean {
  if (character === '\t' || character === '\n' || character === '\r') return false;
  return character === '\uFFFD' || dropped.test(character);
}

/** Without a look at its neighbours: a sigma at the end of a word becomes the one that stands in its middle. */
function lowerEach(text: string): string {
  return Array.from(text, (character) => character.toLowerCase()).join('');
}

function stripAccents(word: string): string {
  return word.normalize('NFD').replace(/\p{Mn}/gu, '');
}

/** Unicode punctuation, and every ASCII character that is neither letter, digit, space nor control. */
function isPunctuation(character: string): boolean {
  return /[\p{P}!-/:-@[-`{-~]/u.test(character);
}

/** The ideograph blocks that BERT's tokenizer names; Hangul and kana are not among them. */
function isCjk(codePoint: number): boolean {
  return (
    (codePoint >= 0x4e00 && codePoint <= 0x9fff) ||
    (codePoint >= 0x3400 && codePoint <= 0x4dbf) ||
    (codePoint >= 0x20000 && codePoint <= 0x2a6df) ||
    (codePoint >= 0x2a700 && codePoint <= 0x2b73f) ||
    (codePoint >= 0x2b740 && codePoint <= 0x2b81f) ||
    (codePoint >= 0x2b820 && codePoint <= 0x2ceaf) ||
    (codePoint >= 0xf900 && codePoint <= 0xfaff) ||
    (codePoint >= 0x2f800 && codePoint <= 0x2fa1f)
  );
}
