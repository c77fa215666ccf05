export * from '../domain/protocol.ts';
