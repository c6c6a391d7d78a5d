/** What a status server takes from those who connect; the options of fastify. */
export const serverLimits = {
  bodyLimit: 16 * 1024,
  requestTimeout: 10_000,
  keepAliveTimeout: 30_000,
  forceCloseConnections: true,
  exposeHeadRoutes: true,
  http: { maxHeaderSize: 8 * 1024, headersTimeout: 5_000 },
} as const;
