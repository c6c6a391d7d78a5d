/** Id and epoch that the cluster has given to a producer. */
export interface ProducerIdentity {
  readonly id: bigint;
  readonly epoch: number;
}
