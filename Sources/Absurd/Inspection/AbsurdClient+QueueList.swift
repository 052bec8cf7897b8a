import LibPQ

extension AbsurdClient {
    /// The settings of all queues, in the order of their names.
    ///
    /// - Throws: ``AbsurdError`` with the code `schemaMissing`.
    public func queuePolicies() async throws -> [QueuePolicy] {
        let rows = try await query(
            """
            select queue_name, storage_mode, default_partition, partition_lookahead::text, partition_lookback::text,
              cleanup_ttl::text, cleanup_limit, detach_mode, detach_min_age::text
            from absurd.queues order by queue_name
            """)
        return try rows.map(QueuePolicy.init)
    }
}
