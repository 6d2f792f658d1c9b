import { expect, test } from "vitest";
import { readPcapng } from "../testing/read-pcapng.ts";
import { enhancedPacket, interfaceDescription, interfaceStatistics, sectionHeader } from "./pcapng.ts";

const hex = (text: string) => Buffer.from(text.replaceAll(/\s/g, ""), "hex");
const AT = 0x0123456789abcdefn;

const header = sectionHeader({ comment: "abc", os: "Linux", application: "mill" });
const description = interfaceDescription({ linkType: 1, snapLength: 65535, name: "eth0", description: "a pod" });
const packet = enhancedPacket({
  interfaceId: 0,
  atNs: AT,
  length: 1500,
  bytes: Buffer.from("hello"),
  isOutbound: false,
  reception: "broadcast",
});
const statistics = interfaceStatistics(0, AT, 3, "lost");

test("blocks are those of draft-ietf-opsawg-pcapng, byte by byte", () => {
  // Section 4.1: type, length, magic, version, length of the section, options comment, os, userappl, end; length.
  expect(header).toEqual(
    hex(`0a0d0d0a 3c000000 4d3c2b1a 0100 0000 ffffffffffffffff
      0100 0300 61626300  0300 0500 4c696e7578000000  0400 0400 6d696c6c  0000 0000  3c000000`),
  );
  // Section 4.2: link type, reserved, snapshot length, options name, description, time resolution, end.
  expect(description).toEqual(
    hex(`01000000 34000000 0100 0000 ffff0000
      0200 0400 65746830  0300 0500 6120706f64000000  0900 0100 09000000  0000 0000  34000000`),
  );
  // Section 4.3: interface, time by halves, captured and original length, the packet padded to 4, flags: inbound, broadcast.
  expect(packet).toEqual(
    hex(`06000000 34000000 00000000 67452301 efcdab89 05000000 dc050000 68656c6c6f000000
      0200 0400 0d000000  0000 0000  34000000`),
  );
  // Section 4.6: interface, time, options comment, packets that the system dropped.
  expect(statistics).toEqual(
    hex(`05000000 30000000 00000000 67452301 efcdab89
      0100 0400 6c6f7374  0700 0800 0300000000000000  0000 0000  30000000`),
  );
});

test("a reader finds in a file what was put there", () => {
  const { comment, packets, drops } = readPcapng(Buffer.concat([header, description, packet, statistics]));
  expect(comment).toBe("abc");
  expect(packets).toEqual([
    {
      interface: "eth0",
      description: "a pod",
      linkType: 1,
      atNs: AT,
      length: 1500,
      bytes: Buffer.from("hello"),
      isOutbound: false,
      reception: 3,
    },
  ]);
  expect(drops).toEqual([{ interface: "eth0", count: 3n }]);
});

test("a packet that is sent says so, and has no reception", () => {
  const sent = enhancedPacket({ interfaceId: 0, atNs: 0n, length: 4, bytes: Buffer.alloc(4), isOutbound: true });
  expect(sent.readUInt32LE(sent.length - 12)).toBe(2);
});
