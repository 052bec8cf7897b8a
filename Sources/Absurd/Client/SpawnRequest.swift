/// One task to spawn, as hooks see it and as ``AbsurdClient/spawnMany(_:)`` takes it.
public struct SpawnRequest: Sendable {
    public var taskName: String
    public var queue: String
    public var options: SpawnOptions
    package var params: JSONText

    package init(taskName: String, queue: String, params: JSONText, options: SpawnOptions) {
        self.taskName = taskName
        self.queue = queue
        self.params = params
        self.options = options
    }

    /// A task by name, for kinds that other programs define.
    ///
    /// - Throws: ``AbsurdError`` with the code `unencodable`, for a number that JSON does not have.
    public init(
        _ taskName: String, params: JSONValue, on queue: String = "default",
        options: SpawnOptions = SpawnOptions()
    ) throws {
        let text = try encodeDocument(params, named: "the parameters of task '\(taskName)'")
        self.init(taskName: taskName, queue: queue, params: text, options: options)
    }

    /// A task of a kind; what the options leave out comes from the kind.
    ///
    /// - Throws: ``AbsurdError`` with the code `unencodable`.
    public init<Input: Sendable, Output: Sendable>(
        _ kind: TaskKind<Input, Output>, _ input: Input, options: SpawnOptions = SpawnOptions()
    ) throws {
        var options = options
        options.maxAttempts = options.maxAttempts ?? kind.maxAttempts
        options.retry = options.retry ?? kind.retry
        options.cancellation = options.cancellation ?? kind.cancellation
        let text = try encoding("the parameters of task '\(kind.name)'") { try kind.encodeInput(input) }
        self.init(taskName: kind.name, queue: kind.queue, params: text, options: options)
    }
}

/// Turns a failed encoding into an error that says what had no JSON form.
package func encoding<Result>(_ what: String, _ encode: () throws -> Result) throws -> Result {
    do {
        return try encode()
    } catch let error as EncodingError {
        throw AbsurdError(.unencodable, "\(what) have no JSON form", serverMessage: String(describing: error))
    }
}

package func encodeDocument(_ value: some Encodable, named what: String) throws -> JSONText {
    try encoding(what) { try JSONText(encoding: value) }
}
