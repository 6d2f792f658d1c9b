/** Writes one frame after the other into the same memory: a million of them leave no garbage. */
export class FrameWriter {
  readonly #memory = new Uint8Array(4096);
  #length = 0;

  get length(): number {
    return this.#length;
  }

  /** The frame so far. Good until the next one is begun. */
  get bytes(): Uint8Array {
    return this.#memory.subarray(0, this.#length);
  }

  begin(): void {
    this.#length = 0;
  }

  u8(value: number): void {
    this.#memory[this.#length++] = value;
  }

  u16(value: number): void {
    this.u8(value >>> 8);
    this.u8(value);
  }

  u32(value: number): void {
    this.u16(value >>> 16);
    this.u16(value);
  }

  put(bytes: Uint8Array): void {
    this.#memory.set(bytes, this.#length);
    this.#length += bytes.length;
  }

  fill(count: number, value: number): void {
    this.#memory.fill(value, this.#length, this.#length + count);
    this.#length += count;
  }

  read(at: number): number {
    return this.#memory[at] ?? 0;
  }

  write(at: number, value: number): void {
    this.#memory[at] = value;
  }

  write16(at: number, value: number): void {
    this.write(at, value >>> 8);
    this.write(at + 1, value);
  }

  /** Cuts the frame off, or makes it longer by what stood there before. */
  resize(length: number): void {
    this.#length = length;
  }
}
