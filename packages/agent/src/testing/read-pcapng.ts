/** A packet of a capture file, with the names of where it was seen. */
export interface ReadPacket {
  readonly interface: string;
  readonly description: string;
  readonly linkType: number;
  readonly atNs: bigint;
  readonly length: number;
  readonly bytes: Buffer;
  readonly isOutbound: boolean;
  readonly reception: number;
}

export interface ReadCapture {
  readonly comment: string;
  readonly packets: readonly ReadPacket[];
  readonly drops: readonly { readonly interface: string; readonly count: bigint }[];
}

/** Reads what the command writes, and fails on whatever draft-ietf-opsawg-pcapng does not allow there. Shares nothing with the writer. */
export function readPcapng(file: Buffer): ReadCapture {
  const interfaces: { linkType: number; snapLength: number; name: string; description: string }[] = [];
  const packets: ReadPacket[] = [];
  const drops: { interface: string; count: bigint }[] = [];
  let comment = "";
  for (let at = 0; at < file.length; ) {
    const [type, length] = [file.readUInt32LE(at), file.readUInt32LE(at + 4)];
    must(length % 4 === 0 && at + length <= file.length, `a block of ${length} bytes at ${at} of ${file.length}`);
    must(file.readUInt32LE(at + length - 4) === length, `the second length of the block at ${at}`);
    const body = file.subarray(at + 8, at + length - 4);
    must((type === 0x0a0d0d0a) === (at === 0), `block type ${type} at ${at}`);
    if (type === 0x0a0d0d0a) {
      must(body.readUInt32LE(0) === 0x1a2b3c4d, "the byte-order magic");
      must(body.readUInt16LE(4) === 1 && body.readUInt16LE(6) === 0, "the version");
      comment = optionsOf(body.subarray(16)).get(1)?.toString() ?? "";
    } else if (type === 1) {
      const options = optionsOf(body.subarray(8));
      must(options.get(9)?.equals(Buffer.of(9)) === true, "times in nanoseconds");
      interfaces.push({
        linkType: body.readUInt16LE(0),
        snapLength: body.readUInt32LE(4),
        name: options.get(2)?.toString() ?? "",
        description: options.get(3)?.toString() ?? "",
      });
    } else if (type === 5) {
      const { name } = interfaceAt(body.readUInt32LE(0));
      drops.push({ interface: name, count: optionsOf(body.subarray(12)).get(7)?.readBigUInt64LE(0) ?? 0n });
    } else if (type === 6) {
      const { name, description, linkType, snapLength } = interfaceAt(body.readUInt32LE(0));
      const captured = body.readUInt32LE(12);
      must(captured <= snapLength, `${captured} bytes of a packet`);
      const flags =
        optionsOf(body.subarray(20 + ((captured + 3) & ~3)))
          .get(2)
          ?.readUInt32LE(0) ?? 0;
      packets.push({
        interface: name,
        description,
        linkType,
        atNs: (BigInt(body.readUInt32LE(4)) << 32n) | BigInt(body.readUInt32LE(8)),
        length: body.readUInt32LE(16),
        bytes: body.subarray(20, 20 + captured),
        isOutbound: (flags & 3) === 2,
        reception: (flags >> 2) & 7,
      });
    } else must(false, `block type ${type}`);
    at += length;
  }
  return { comment, packets, drops };

  function interfaceAt(number: number) {
    const found = interfaces[number];
    if (found === undefined) throw new Error(`no capture file: interface ${number} is not described`);
    return found;
  }
}

function optionsOf(bytes: Buffer): Map<number, Buffer> {
  const options = new Map<number, Buffer>();
  for (let at = 0; ; ) {
    const [code, length] = [bytes.readUInt16LE(at), bytes.readUInt16LE(at + 2)];
    if (code === 0) {
      must(length === 0 && at + 4 === bytes.length, "the end of the options");
      return options;
    }
    options.set(code, bytes.subarray(at + 4, at + 4 + length));
    at += 4 + ((length + 3) & ~3);
  }
}

function must(holds: boolean, what: string): void {
  if (!holds) throw new Error(`no capture file: ${what}`);
}
