import type { KeyedMutex } from "@millrace/host";

/**
 * Does work while it holds all of these keys. They are asked for in one go, so that of two who want the same ones the first gets them all, and
 * neither waits for the other for ever.
 */
export async function holdingAll<T>(mutex: KeyedMutex, keys: Iterable<string>, work: () => Promise<T>): Promise<T> {
  const over = Promise.withResolvers<void>();
  const held = [...new Set(keys)].map((key) => {
    const has = Promise.withResolvers<void>();
    void mutex.run(key, () => {
      has.resolve();
      return over.promise;
    });
    return has.promise;
  });
  try {
    await Promise.all(held);
    return await work();
  } finally {
    over.resolve();
  }
}
