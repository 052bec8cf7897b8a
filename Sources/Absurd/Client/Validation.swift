/// Checks a queue name as the database would, before anything is sent.
package func validateQueueName(_ name: String) throws {
    guard !name.isEmpty else { throw AbsurdError.invalidArgument("a queue name must not be empty") }
    guard !name.utf8.contains(0) else {
        throw AbsurdError.invalidArgument("a queue name must not contain a NUL character")
    }
    guard name.utf8.count <= 57 else {
        throw AbsurdError.invalidArgument(
            "a queue name has at most 57 bytes of UTF-8, and this one has \(name.utf8.count): "
                + "'\(shortened(name))'")
    }
}

package func validateEventName(_ name: String) throws {
    guard !name.allSatisfy(\.isWhitespace) else {
        throw AbsurdError.invalidArgument("an event name must not be empty")
    }
    guard !name.utf8.contains(0) else {
        throw AbsurdError.invalidArgument("an event name must not contain a NUL character")
    }
}

package func validateTaskName(_ name: String) throws {
    guard !name.allSatisfy(\.isWhitespace) else {
        throw AbsurdError.invalidArgument("a task name must not be empty")
    }
    guard !name.utf8.contains(0) else {
        throw AbsurdError.invalidArgument("a task name must not contain a NUL character")
    }
}

/// Whether workers may have this id; see ``workerIDRule``.
package func isWorkerID(_ id: String) -> Bool {
    !id.isEmpty && id.utf8.count <= 200 && !id.utf8.contains(0)
}

package let workerIDRule = "1 to 200 bytes without NUL"

package func validateWorkerID(_ id: String) throws {
    guard isWorkerID(id) else {
        throw AbsurdError.invalidArgument("a worker id must be \(workerIDRule), and is '\(id.prefix(40))'")
    }
}

/// A name as it is shown in a message, where it may be of any length.
package func shortened(_ name: String) -> String {
    name.utf8.count > 60 ? name.prefix(57) + "…" : name
}
