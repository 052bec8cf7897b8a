/// The handlers of a worker by task name, checked when the worker is made.
package struct HandlerRegistry: Sendable {
    private let byName: [String: Handler]

    /// - Throws: ``AbsurdError`` with the codes `duplicateHandler` or `invalidConfiguration`.
    package init(_ handlers: [Handler], queue: String) throws {
        try validateQueueName(queue)
        var byName: [String: Handler] = [:]
        for handler in handlers {
            try validateTaskName(handler.taskName)
            guard byName.updateValue(handler, forKey: handler.taskName) == nil else {
                throw AbsurdError(
                    .duplicateHandler,
                    "two handlers are registered for task '\(handler.taskName)'; remove one or rename its kind"
                )
            }
            if let limit = handler.attemptTimeout, limit < .milliseconds(1) || limit > .days(365) {
                throw AbsurdError(
                    .invalidConfiguration,
                    "the attemptTimeout of the handler of task '\(handler.taskName)' must be from 1 millisecond to "
                        + "365 days, and is \(limit)")
            }
            if let own = handler.queue, own != queue {
                throw AbsurdError(
                    .invalidConfiguration,
                    "the handler of task '\(handler.taskName)' belongs to queue '\(own)', and this worker serves "
                        + "'\(queue)'; give the handler to a worker of its queue or change its kind")
            }
        }
        self.byName = byName
    }

    package var taskNames: [String] { Array(byName.keys) }

    package subscript(_ taskName: String) -> Handler? { byName[taskName] }
}
