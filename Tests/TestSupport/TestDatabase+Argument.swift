extension TestDatabase {
    /// Runs `body` with a fresh database of these contents as ``current``.
    ///
    /// For tests without the trait `.database(…)`, whose contents come from a test argument.
    package static func with(
        _ contents: DatabaseTrait.Contents, _ body: () async throws -> Void
    ) async throws {
        try await Gate.databases.withTurn {
            try await withDatabase(contents, body)
        }
    }
}
