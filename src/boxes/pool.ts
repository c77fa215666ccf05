/** The connections to all boxes: one kept open per box, made again when a box's address changes. */
import { type BoxAddress, BoxConnection, type ConnectionOptions } from './connection.ts';

export class BoxPool {
  readonly #options: ConnectionOptions;
  readonly #connections = new Map<string, BoxConnection>();

  constructor(options: ConnectionOptions) {
    this.#options = options;
  }

  /** SHA-256 of the runner on every box, in hex. */
  get runnerHash(): string {
    return this.#options.archive.hash;
  }

  /** The one connection to this box; nothing is connected until it is used. */
  connection(address: BoxAddress): BoxConnection {
    const known = this.#connections.get(address.id);
    if (known && JSON.stringify(known.box) === JSON.stringify(address)) return known;
    void known?.close();
    const connection = new BoxConnection(address, this.#options);
    this.#connections.set(address.id, connection);
    return connection;
  }

  /** A connection that the pool does not keep: for looking at a machine before it is registered. */
  trial(address: BoxAddress): BoxConnection {
    return new BoxConnection(address, this.#options);
  }

  /** Closes the connections to all boxes but these. */
  async retain(ids: Set<string>): Promise<void> {
    const gone = [...this.#connections].filter(([id]) => !ids.has(id));
    for (const [id] of gone) this.#connections.delete(id);
    await Promise.all(gone.map(([, connection]) => connection.close()));
  }

  /** Closes every connection. Jobs on the boxes go on. */
  async close(): Promise<void> {
    await this.retain(new Set());
  }
}
