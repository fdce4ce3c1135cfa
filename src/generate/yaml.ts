import { Document, Pair, Scalar, YAMLMap, YAMLSeq, type Node } from 'yaml';

/** YAML with comments, written down as a value. Fields that are undefined are left out. */
export type Tree = string | number | boolean | Noted | readonly Tree[] | Branch;
export interface Branch {
  readonly [key: string]: Tree | undefined;
}

const NOTE = Symbol('note');
interface Noted {
  readonly [NOTE]: string;
  readonly value: Tree;
}

/** The value with a comment above it. Lines of the comment that are indented are commands, and stay whole. */
export const note = (value: Tree, comment: string): Tree => ({ [NOTE]: comment, value });

/** One document of a file. */
export interface Part {
  /** What it is for; it stands above. */
  readonly about: string;
  readonly value: Branch;
}

const COMMENT_WIDTH = 100;

/** A file of one document or several. */
export const yamlText = (parts: readonly Part[]): string => parts.map(documentText).join('---\n');

function documentText({ about, value }: Part): string {
  const document = new Document(nodeOf(value));
  document.commentBefore = commentText(about);
  return document.toString({ lineWidth: 0 });
}

function nodeOf(tree: Tree): Node {
  if (isNoted(tree)) {
    const node = nodeOf(tree.value);
    node.commentBefore = commentText(tree[NOTE]);
    return node;
  }
  if (isList(tree)) {
    const list = new YAMLSeq<Node>();
    for (const each of tree) list.items.push(nodeOf(each));
    return list;
  }
  return typeof tree === 'object' ? mapOf(tree) : scalarOf(tree);
}

/** A comment on a value stands above its key. */
function mapOf(branch: Branch): Node {
  const map = new YAMLMap<Node, Node>();
  for (const [name, tree] of Object.entries(branch)) {
    if (tree === undefined) continue;
    const key = new Scalar(name);
    if (isNoted(tree)) key.commentBefore = commentText(tree[NOTE]);
    map.items.push(new Pair<Node, Node>(key, nodeOf(isNoted(tree) ? tree.value : tree)));
  }
  return map;
}

/** Text with a colon is quoted: readers of YAML 1.1 take some addresses and times for numbers in base 60. */
function scalarOf(value: string | number | boolean): Node {
  const scalar = new Scalar(value);
  if (typeof value === 'string' && value.includes(':') && !value.includes('\n')) scalar.type = Scalar.QUOTE_DOUBLE;
  return scalar;
}

const isNoted = (tree: Tree): tree is Noted => typeof tree === 'object' && NOTE in tree;
const isList = (tree: Tree): tree is readonly Tree[] => Array.isArray(tree);

function commentText(text: string): string {
  return text
    .split('\n')
    .flatMap(wrapped)
    .map((line) => ` ${line}`)
    .join('\n');
}

function wrapped(paragraph: string): readonly string[] {
  if (paragraph.startsWith('  ')) return [paragraph];
  const lines: string[] = [];
  let line = '';
  for (const word of paragraph.split(' ')) {
    if (line !== '' && line.length + 1 + word.length > COMMENT_WIDTH) {
      lines.push(line);
      line = word;
    } else line = line === '' ? word : `${line} ${word}`;
  }
  return [...lines, line];
}
