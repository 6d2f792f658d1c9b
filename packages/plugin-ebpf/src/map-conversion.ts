import { endianness } from "node:os";
import type { LayoutField, TypeLayout } from "libbpf-ts";
import { EbpfError } from "./errors.ts";

const LITTLE = endianness() === "LE";

/** Makes a key or a value of one layout of those bytes of another one. */
export type Convert = (bytes: Uint8Array) => Uint8Array;

/**
 * What keeps keys or values of layout `from` from being written as `to`, a phrase for each member. Members are the same by their
 * names, wherever they are; a number may have another width. A member that `from` lacks is zero, as an older version means it without
 * knowing it; of a newer version (`isNewer`) it may have got another meaning, so it has to be there.
 */
export function conversionProblems(from: TypeLayout, to: TypeLayout, name: string, isNewer: boolean): string[] {
  return to.fields.flatMap((field) => {
    const member = field.path === "" ? name : `${name}.${field.path}`;
    const source = sourceOf(field, from);
    if (source === undefined) return isNewer ? [`${member} is gone`] : [];
    return canConvert(source, field) ? [] : [`${member} is ${source.kind}, here ${field.kind}`];
  });
}

/** For layouts between which {@link conversionProblems} finds none. The result throws `ERR_LAYOUT_MISMATCH` for a number that does not fit. */
export function conversion(from: TypeLayout, to: TypeLayout): Convert {
  const steps = to.fields.flatMap((field) => {
    const source = sourceOf(field, from);
    return source === undefined ? [] : [{ source, field }];
  });
  return (bytes) => {
    const result = new Uint8Array(to.size);
    for (const { source, field } of steps) {
      const member = bytes.subarray(...placeOf(source));
      result.set(source.bits === field.bits ? member : resized(member, source, field), placeOf(field)[0]);
    }
    return result;
  };
}

/** The bytes of one member, as a part of `bytes`; undefined when the layout has none of that name. */
export function memberOf(bytes: Uint8Array, layout: TypeLayout, path: string): Uint8Array | undefined {
  const field = layout.fields.find((other) => other.path === path);
  return field && bytes.subarray(...placeOf(field));
}

/** A number alone has no name: a layout of one has no other member. */
const sourceOf = ({ path }: LayoutField, from: TypeLayout) => from.fields.find((field) => field.path === path);

const placeOf = ({ bitOffset, bits }: LayoutField): [number, number] => [bitOffset / 8, (bitOffset + bits) / 8];

function canConvert(from: LayoutField, to: LayoutField): boolean {
  if ([from, to].some(({ bitOffset, bits }) => bitOffset % 8 !== 0 || bits % 8 !== 0)) return false;
  return from.kind === to.kind || [from, to].every(({ kind }) => /^u\d+$/.test(kind));
}

function resized(bytes: Uint8Array, from: LayoutField, to: LayoutField): Uint8Array {
  const size = to.bits / 8;
  const lowFirst = LITTLE ? [...bytes] : bytes.toReversed();
  if (lowFirst.slice(size).some((byte) => byte !== 0)) {
    throw new EbpfError(
      "ERR_LAYOUT_MISMATCH",
      `${from.path || "a value"} is larger than a ${to.kind} can be: go on with the version of the agent that ran last`,
    );
  }
  const result = new Uint8Array(size);
  result.set(lowFirst.slice(0, size));
  return LITTLE ? result : result.reverse();
}
