/** A tag that the kernel keeps beside the frame (IEEE 802.1Q). */
export interface VlanTag {
  /** 0x8100, or 0x88a8 of 802.1ad. */
  readonly protocol: number;
  /** Priority and VLAN id. */
  readonly control: number;
}

/** Behind both MAC addresses. */
const OFFSET = 12;

/** The Ethernet frame with the tag in it, as it is on the wire. */
export function insertTag(frame: Uint8Array, { protocol, control }: VlanTag): Uint8Array {
  const tagged = new Uint8Array(frame.length + 4);
  tagged.set(frame.subarray(0, OFFSET));
  const view = new DataView(tagged.buffer);
  view.setUint16(OFFSET, protocol);
  view.setUint16(OFFSET + 2, control);
  tagged.set(frame.subarray(OFFSET), OFFSET + 4);
  return tagged;
}
