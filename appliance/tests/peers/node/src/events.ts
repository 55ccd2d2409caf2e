/** Keeps one session's events in memory, so that a client can resume a stream it lost. */
import type { EventId, EventStore, JSONRPCMessage, StreamId } from "@modelcontextprotocol/server";

export class MemoryEvents implements EventStore {
  readonly #events: { stream: StreamId; message: JSONRPCMessage }[] = [];

  async storeEvent(stream: StreamId, message: JSONRPCMessage): Promise<EventId> {
    this.#events.push({ stream, message });
    return String(this.#events.length);
  }

  async getStreamIdForEventId(id: EventId): Promise<StreamId | undefined> {
    return this.#events[Number(id) - 1]?.stream;
  }

  async replayEventsAfter(
    last: EventId,
    { send }: { send: (id: EventId, message: JSONRPCMessage) => Promise<void> },
  ): Promise<StreamId> {
    const from = Number(last);
    const stream = this.#events[from - 1]?.stream;
    if (stream === undefined) throw new Error("no such event");
    for (const [index, event] of this.#events.entries()) {
      if (index < from || event.stream !== stream) continue;
      // The transport stores an empty object for the event that only primes a stream.
      if (Object.keys(event.message).length > 0) await send(String(index + 1), event.message);
    }
    return stream;
  }
}
