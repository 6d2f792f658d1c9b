import { once } from "node:events";
import { fileURLToPath } from "node:url";
import { Worker } from "node:worker_threads";
import { BpfObject, RingBuffer } from "libbpf-ts";

export interface RingRate {
  /** Records that JavaScript has read, decoded. */
  readonly perSecond: number;
  readonly produced: number;
  /** That the program could not submit. */
  readonly dropped: number;
  readonly batches: number;
}

const OBJECT = fileURLToPath(new URL("../../packages/libbpf-ts/build/test-objects/flood.bpf.o", import.meta.url));

/** A program submits records of 24 bytes as fast as it runs, on a thread of its own; this thread reads and decodes them. */
export async function measureRing(mode: "packed" | "arrays", seconds: number): Promise<RingRate> {
  using object = BpfObject.open(OBJECT);
  object.load();
  let seen = 0;
  let bytes = 0;
  let batches = 0;
  using _ring =
    mode === "packed"
      ? RingBuffer.openPacked(object.map("events"), (records) => {
          batches++;
          records.forEach((offset, _length, view) => {
            bytes += decode(view, offset).len;
            seen++;
          });
        })
      : RingBuffer.open(object.map("events"), (records) => {
          batches++;
          for (const record of records) {
            bytes += decode(new DataView(record.buffer, record.byteOffset), 0).len;
            seen++;
          }
        });
  const worker = new Worker(new URL("./flood.ts", import.meta.url), {
    workerData: { programId: object.program("flood").info.id, seconds },
  });
  const exited = once(worker, "exit"); // which may come in the same turn of the event loop as the message
  const [produced] = (await once(worker, "message")) as [number];
  await exited;
  await new Promise((resolve) => setTimeout(resolve, 200));
  const dropped = Number(object.variable("dropped"));
  if (seen + dropped !== produced || bytes !== seen * 64) throw new Error(`${produced} records, but ${seen} came`);
  return { perSecond: seen / seconds, produced, dropped, batches };
}

function decode(view: DataView, at: number) {
  return {
    time: view.getBigUint64(at, true),
    source: view.getUint32(at + 8, true),
    destination: view.getUint32(at + 12, true),
    ifindex: view.getUint32(at + 16, true),
    len: view.getUint32(at + 20, true),
  };
}
