/// Checks a queue name as the database would, before anything is sent.
package func validateQueueName(_ name: String) throws {
    guard !name.isEmpty else { throw AbsurdError.invalidArgument("a queue name must not be empty") }
    guard !name.utf8.contains(0) else {
        throw AbsurdError.invalidArgument("a queue name must not contain a NUL character")
    }
    guard name.utf8.count <= 57 else {
        throw AbsurdError.invalidArgument(
            "a queue name has at most 57 bytes of UTF-8, and this one has \(name.utf8.count): "
                + "'\(name.prefix(57))…'")
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
