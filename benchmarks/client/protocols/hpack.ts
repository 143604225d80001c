/**
 * Header compression of HTTP/2 (RFC 7541): a whole decoder, and an encoder for the one header list that all requests of a
 * connection share.
 */

/** Name and value in turn. */
export type HeaderList = readonly string[];

/** Appendix A: name=value, from index 1. */
const staticTable: readonly (readonly [string, string])[] =
  `:authority :method=GET :method=POST :path=/ :path=/index.html :scheme=http :scheme=https :status=200 :status=204 :status=206
:status=304 :status=400 :status=404 :status=500 accept-charset accept-encoding=gzip,_deflate accept-language accept-ranges
accept access-control-allow-origin age allow authorization cache-control content-disposition content-encoding
content-language content-length content-location content-range content-type cookie date etag expect expires from host
if-match if-modified-since if-none-match if-range if-unmodified-since last-modified link location max-forwards
proxy-authenticate proxy-authorization range referer refresh retry-after server set-cookie strict-transport-security
transfer-encoding user-agent vary via www-authenticate`
    .split(/\s+/)
    .map((entry) => {
      const [name = "", value = ""] = entry.split("=");
      return [name, value.replace("_", " ")];
    });

/** Bytes an entry takes of a table beside its text. */
const entryOverhead = 32;
const entrySize = (name: string, value: string): number =>
  Buffer.byteLength(name, "latin1") + Buffer.byteLength(value, "latin1") + entryOverhead;

/** What a peer may use of our table as long as we have not said otherwise, and we do not. */
const tableLimit = 4096;
/** A header list longer than this is refused: the table lets few bytes stand for many. */
const maxListSize = 256 << 10;

/** The state of one direction of one connection: header blocks must be given in the order they came. */
export class HeaderDecoder {
  /** Newest first. */
  readonly #entries: { readonly name: string; readonly value: string; readonly size: number }[] = [];
  #size = 0;
  #limit = tableLimit;
  #block: Buffer = Buffer.alloc(0);
  #at = 0;

  /** @throws Error if the block is malformed; the connection cannot be used any more then */
  decode(block: Buffer): string[] {
    this.#block = block;
    this.#at = 0;
    const list: string[] = [];
    let listSize = 0;
    while (this.#at < block.length) {
      const first = block[this.#at]!;
      if ((first & 0xe0) === 0x20) {
        const limit = this.#integer(5);
        if (limit > tableLimit) throw new Error("a header table larger than allowed");
        this.#limit = limit;
        this.#evict();
        continue;
      }
      let name: string;
      let value: string;
      if (first & 0x80) {
        [name, value] = this.#entry(this.#integer(7));
      } else {
        const indexed = (first & 0x40) !== 0;
        const index = this.#integer(indexed ? 6 : 4);
        name = index ? this.#entry(index)[0] : this.#text();
        value = this.#text();
        if (indexed) this.#add(name, value);
      }
      list.push(name, value);
      listSize += name.length + value.length + entryOverhead;
      if (listSize > maxListSize) throw new Error("too many headers");
    }
    return list;
  }

  #entry(index: number): readonly [string, string] {
    const entry = staticTable[index - 1];
    if (entry) return entry;
    const added = this.#entries[index - 1 - staticTable.length];
    if (!added) throw new Error("a header that is not in the table");
    return [added.name, added.value];
  }

  #add(name: string, value: string): void {
    const size = entrySize(name, value);
    this.#entries.unshift({ name, value, size });
    this.#size += size;
    this.#evict();
  }

  #evict(): void {
    while (this.#size > this.#limit) this.#size -= this.#entries.pop()!.size;
  }

  /** An integer whose first byte has `bits` bits for it. */
  #integer(bits: number): number {
    const mask = (1 << bits) - 1;
    let value = this.#byte() & mask;
    if (value < mask) return value;
    for (let shift = 0; shift <= 21; shift += 7) {
      const byte = this.#byte();
      value += (byte & 0x7f) << shift;
      if (byte < 0x80) return value;
    }
    throw new Error("a header with too large a number");
  }

  #text(): string {
    const huffman = (this.#block[this.#at]! & 0x80) !== 0;
    const length = this.#integer(7);
    const end = this.#at + length;
    if (end > this.#block.length) throw new Error("a header that is cut off");
    const text = huffman ? unpack(this.#block, this.#at, end) : this.#block.toString("latin1", this.#at, end);
    this.#at = end;
    return text;
  }

  #byte(): number {
    if (this.#at >= this.#block.length) throw new Error("a header that is cut off");
    return this.#block[this.#at++]!;
  }
}

/**
 * Appendix B. The code is canonical (codes of one length are consecutive, in the order of their symbols), so the lengths
 * say all: one letter for each symbol from 0 to 255, `a` for 5 bits; the 257th symbol ends a text and may not occur.
 */
const huffmanLengths =
  "isxxxxxxxtzxxzxxxxxxxxzxxxxxxxxxbffhibdgffdgdbbbaaabbbbbbbcdkbhfibccccccccccccccccccccccdcdioijbkabababbbaccbbbabcbaabccccckgjix" +
  "prpprrrsrssssststtrstssssqrsrsstrqprrssqsrrtqrssqqrqsrssprrrsrrsvvporsruvvvwwvtuoqvwwvwtqqvvxwwwptpqrqqsrruuttvsvwvvwwwwwxwwwwwv";
const endOfText = 256;

/** Binary tree in an array: at 2 * node + bit, the next node, or a symbol as its complement (-1 - symbol). */
const huffmanTree: Int16Array = (() => {
  const lengths = [...huffmanLengths].map((letter) => letter.charCodeAt(0) - "a".charCodeAt(0) + 5);
  lengths.push(30);
  const tree = new Int16Array(2 * lengths.length);
  let nodes = 1;
  let code = 0;
  let last = 0;
  for (const symbol of lengths.map((_, i) => i).sort((a, b) => lengths[a]! - lengths[b]! || a - b)) {
    const length = lengths[symbol]!;
    code <<= length - last;
    last = length;
    let node = 0;
    for (let bit = length - 1; bit > 0; bit--) {
      const at = 2 * node + ((code >>> bit) & 1);
      if (tree[at] === 0) tree[at] = nodes++;
      node = tree[at]!;
    }
    tree[2 * node + (code & 1)] = -1 - symbol;
    code++;
  }
  return tree;
})();

function unpack(block: Buffer, from: number, to: number): string {
  let text = "";
  let node = 0;
  let padding = 0; // bits since the last symbol
  let ones = true; // all of them
  for (let i = from; i < to; i++) {
    const byte = block[i]!;
    for (let bit = 7; bit >= 0; bit--) {
      const value = (byte >>> bit) & 1;
      const next = huffmanTree[2 * node + value]!;
      padding++;
      if (value === 0) ones = false;
      if (next >= 0) {
        node = next;
        continue;
      }
      if (next === -1 - endOfText) throw new Error("a header with a wrong Huffman code");
      text += String.fromCharCode(-1 - next);
      node = 0;
      padding = 0;
      ones = true;
    }
  }
  if (padding > 7 || !ones) throw new Error("a header with a wrong Huffman code");
  return text;
}

/** Header blocks for requests that all have the same headers. */
export interface RequestBlocks {
  /** The first request of a connection; the server remembers its headers. */
  readonly first: Buffer;
  /** Every later one: a byte or two per header. */
  readonly next: Buffer;
}

/** @param peerTable size of the table that the server keeps (SETTINGS_HEADER_TABLE_SIZE; 4096 if it did not say) */
export function encodeRequestHeaders(headers: HeaderList, peerTable: number): RequestBlocks {
  const pairs: [string, string][] = [];
  for (let i = 0; i < headers.length; i += 2) pairs.push([headers[i]!, headers[i + 1]!]);
  const fixed = pairs.map(
    ([name, value]) => staticTable.findIndex((entry) => entry[0] === name && entry[1] === value) + 1,
  );
  const added = pairs.filter((_, i) => fixed[i] === 0);
  const remember =
    added.reduce((sum, [name, value]) => sum + entrySize(name, value), 0) <= Math.min(peerTable, tableLimit);
  const first: number[] = [];
  const next: number[] = [];
  let left = added.length;
  pairs.forEach(([name, value], i) => {
    if (fixed[i]) {
      put(first, fixed[i]!, 7, 0x80);
      put(next, fixed[i]!, 7, 0x80);
      return;
    }
    literal(first, name, value, remember);
    left--;
    if (remember)
      put(next, staticTable.length + 1 + left, 7, 0x80); // the newest entry has the lowest index
    else literal(next, name, value, false);
  });
  // A peer that keeps a smaller table than the standard one has to be told that we know.
  const resize: number[] = [];
  if (peerTable < tableLimit) put(resize, remember ? peerTable : 0, 5, 0x20);
  return { first: Buffer.from([...resize, ...first]), next: Buffer.from(next) };
}

function literal(out: number[], name: string, value: string, remember: boolean): void {
  const index = staticTable.findIndex((entry) => entry[0] === name) + 1;
  put(out, index, remember ? 6 : 4, remember ? 0x40 : 0);
  for (const text of index ? [value] : [name, value]) {
    const bytes = Buffer.from(text, "latin1");
    put(out, bytes.length, 7, 0);
    out.push(...bytes);
  }
}

/** An integer whose first byte has `bits` bits for it under the flags. */
function put(out: number[], value: number, bits: number, flags: number): void {
  const mask = (1 << bits) - 1;
  if (value < mask) {
    out.push(flags | value);
    return;
  }
  out.push(flags | mask);
  let rest = value - mask;
  for (; rest >= 0x80; rest >>>= 7) out.push((rest & 0x7f) | 0x80);
  out.push(rest);
}
