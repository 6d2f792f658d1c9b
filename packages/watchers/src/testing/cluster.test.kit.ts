/** A raw object as the API server stores it. */
export interface RawObject {
  readonly metadata: Readonly<Record<string, unknown>> & { readonly name: string };
  readonly [key: string]: unknown;
}

export interface StoredEvent {
  readonly type: "ADDED" | "MODIFIED" | "DELETED";
  readonly object: RawObject;
  readonly version: number;
}

/** The objects of one resource with their history, as etcd and the API server's cache keep them. */
export class StoredObjects {
  readonly kind: string;
  readonly current = new Map<string, RawObject>();
  readonly history: StoredEvent[] = [];
  /** Older versions than this are gone. */
  compacted = 0;

  constructor(kind: string) {
    this.kind = kind;
  }
}

/** The three resources that are watched, under one count of versions. */
export class ScriptedCluster {
  readonly resources: Readonly<Record<string, StoredObjects>> = {
    "/api/v1/namespaces": new StoredObjects("Namespace"),
    "/api/v1/pods": new StoredObjects("Pod"),
    "/api/v1/nodes": new StoredObjects("Node"),
  };
  version = 100;
  onEvent: (path: string, event: StoredEvent) => void = () => undefined;

  namespace(name: string, labels: Record<string, string> = { "istio.io/dataplane-mode": "ambient" }): void {
    this.put("/api/v1/namespaces", { metadata: { name, labels } });
  }

  pod(uid: string, { phase = "Running", name = uid, nodeName = "n1" } = {}): void {
    this.put("/api/v1/pods", { metadata: { name, namespace: "shop", uid }, spec: { nodeName }, status: { phase } });
  }

  node(name = "n1"): void {
    this.put("/api/v1/nodes", {
      metadata: { name },
      status: { addresses: [{ type: "InternalIP", address: "198.18.0.1" }] },
    });
  }

  put(path: string, raw: RawObject): void {
    const stored = this.#of(path);
    const key = this.#key(raw);
    const type = stored.current.has(key) ? "MODIFIED" : "ADDED";
    this.#record(path, type, raw);
    stored.current.set(key, (stored.history.at(-1) as StoredEvent).object);
  }

  delete(path: string, key: string): void {
    const stored = this.#of(path);
    const raw = stored.current.get(key);
    if (raw === undefined) throw new Error(`${path} has no ${key}`);
    stored.current.delete(key);
    this.#record(path, "DELETED", raw);
  }

  /** Changes that open watches are not told of, for instance because they came while the network was cut. */
  unseen(change: () => void): void {
    const { onEvent } = this;
    this.onEvent = () => undefined;
    change();
    this.onEvent = onEvent;
  }

  /** Changes that no watch will ever tell of. */
  swallowed(change: () => void): void {
    this.unseen(change);
    for (const { history } of Object.values(this.resources)) history.length = 0;
  }

  /** Forgets history, as etcd's compaction does: who was not watching gets 410. */
  compact(): void {
    for (const stored of Object.values(this.resources)) {
      stored.compacted = this.version;
      stored.history.length = 0;
    }
  }

  /** A backup is played back: objects are as they are now, but the count of versions begins anew from an older one. */
  restoreAt(version: number): void {
    this.compact();
    for (const stored of Object.values(this.resources)) stored.compacted = 0;
    this.version = version;
  }

  #record(path: string, type: StoredEvent["type"], raw: RawObject): void {
    const version = ++this.version;
    const { kind, history } = this.#of(path);
    const metadata = { ...raw.metadata, resourceVersion: String(version) };
    const event = { type, version, object: { kind, apiVersion: "v1", ...raw, metadata } };
    history.push(event);
    this.onEvent(path, event);
  }

  #key({ metadata }: RawObject): string {
    return typeof metadata.uid === "string" ? metadata.uid : metadata.name;
  }

  #of(path: string): StoredObjects {
    const stored = this.resources[path];
    if (stored === undefined) throw new Error(`no resource ${path}`);
    return stored;
  }
}
