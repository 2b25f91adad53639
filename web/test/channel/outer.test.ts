// The fuzzer's corpus of outer messages: the page takes what Rust takes, and reads the same in it.
import { readFileSync } from 'node:fs';
import { create, toBinary } from '@bufbuild/protobuf';
import { describe, expect, it } from 'vitest';
import { decodeOuter } from '../../src/channel/outer';
import { ControlSchema } from '../../src/gen/leapmux/v1/channel_pb';

const lines = (file: string) =>
  readFileSync(new URL(`../../../fuzz/${file}`, import.meta.url), 'utf8').trimEnd().split('\n');
const hex = (bytes: Uint8Array) => Buffer.from(bytes).toString('hex');

function verdict(message: Uint8Array): string {
  const outer = decodeOuter(new Uint8Array(message));
  if (outer === undefined) return 'refused';
  if (outer.kind === 'frame') {
    const { channelId, epoch, correlation, flags, ciphertext } = outer.frame;
    return `frame ${hex(channelId)} ${epoch} ${correlation} ${flags} ${ciphertext.length}`;
  }
  const control = create(ControlSchema, { body: outer.body });
  return `control 01${hex(toBinary(ControlSchema, control, { writeUnknownFields: false }))}`;
}

describe('outer messages', () => {
  // The page's protobuf library does not mind a nested message that ends elsewhere than its length
  // says; Rust's does. So what Rust refuses as protobuf the page may take: it comes from a Hub or a
  // Worker that could as well have sent it in good form.
  const isFrameOrUnknown = (message: Uint8Array) => message[0] !== 1;

  it('are taken as in Rust, with the same fields, and no other frame is one', () => {
    const corpus = lines('corpus/outer').map((line) => Buffer.from(line, 'base64'));
    const verdicts = lines('verdicts/outer');
    expect(corpus.length).toBe(verdicts.length);
    expect(corpus.length).toBeGreaterThan(100);
    const wrong = corpus.flatMap((message, at) => {
      if (verdicts[at] === 'refused' && !isFrameOrUnknown(message)) return [];
      const found = verdict(message);
      return found === verdicts[at] ? [] : [{ message: hex(message), page: found, rust: verdicts[at] }];
    });
    expect(wrong).toEqual([]);
  });
});
