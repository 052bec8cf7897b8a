/// A value that is made when it is first asked for, once, however many ask at the same time.
actor Lazy<Value: Sendable> {
    private let make: @Sendable () async throws -> Value
    private var making: Task<Value, any Error>?

    init(_ make: @escaping @Sendable () async throws -> Value) {
        self.make = make
    }

    /// A failure is kept as well: what could not be made for the first test is not tried for each.
    var value: Value {
        get async throws {
            if let making { return try await making.value }
            // Not a child of the first one who asks, whose cancellation would be everybody's.
            let making = Task { [make] in try await make() }
            self.making = making
            return try await making.value
        }
    }

    /// The value if anybody has asked for it and it could be made.
    var existing: Value? {
        get async { try? await making?.value }
    }
}
