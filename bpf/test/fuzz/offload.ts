import { type Judgement, judge } from "./oracle.ts";
import { type Fate, rowOf } from "./rows.ts";

const TAG_BYTES = 4;
const VLAN_ID = 0x0fff;

/**
 * What becomes of a frame that a device has received. The kernel takes the outer tag off and keeps it beside the frame (net/core/skbuff.c,
 * skb_vlan_untag()): the table's rows for tags there hold.
 */
export function fateOfReceived(frame: Uint8Array): { row: Judgement["row"]; fate: Fate } {
  const { row } = judge(frame);
  if (row !== "tag-8021q" && row !== "tag-8021ad") return { row, fate: rowOf(row).fate };
  const id = (((frame[14] ?? 0) << 8) | (frame[15] ?? 0)) & VLAN_ID;
  const untagged = new Uint8Array(frame.length - TAG_BYTES);
  untagged.set(frame.subarray(0, 12));
  untagged.set(frame.subarray(12 + TAG_BYTES), 12);
  const { fate } = rowOf(judge(untagged).row);
  return { row, fate: id && fate === "captured" ? "dropped_unparsable" : fate };
}

/** The frame with a tag around its packet. */
export function tagged(frame: Uint8Array, type: number, tci: number): Uint8Array {
  const result = new Uint8Array(frame.length + TAG_BYTES);
  result.set(frame.subarray(0, 12));
  result.set([type >> 8, type & 0xff, tci >> 8, tci & 0xff], 12);
  result.set(frame.subarray(12), 12 + TAG_BYTES);
  return result;
}
