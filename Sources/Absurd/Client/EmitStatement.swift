package import LibPQ

/// One row of `absurd_swift.emit`.
package struct EmitRow: Sendable {
    package let event: String
    package let payload: JSONText

    package var byteCount: Int { event.utf8.count + payload.byteCount + 16 }
}

/// What became of an ``EmitRow``.
package enum EmitAnswer: Sendable {
    case emitted
    /// The event had been emitted before, so nothing changed.
    case known
    case refused(sqlState: String?, message: String?)

    init(_ row: SQLRow) throws {
        switch try row.decode("answer", as: String.self) {
        case "emitted": self = .emitted
        case "known": self = .known
        case "refused":
            self = .refused(sqlState: try row.decode("sqlstate"), message: try row.decode("message"))
        default: throw SpawnStatement.wrongAnswer
        }
    }

    package func check() throws {
        guard case .refused(let sqlState, let message) = self else { return }
        guard sqlState != "AS005" else {
            throw AbsurdError.invalidArgument("an event name must not be empty")
        }
        throw AbsurdError.refused(sqlState: sqlState, serverMessage: message)
    }
}

/// One call of `absurd_swift.emit`: events of one queue.
package struct EmitStatement: Sendable {
    package static let sql =
        "select answer, sqlstate, message from absurd_swift.emit($1, $2, $3) order by position"

    package let parameters: [SQLParameter]
    private let count: Int

    package init(queue: String, rows: [EmitRow]) {
        count = rows.count
        parameters = [.text(queue), .textArray(rows.map(\.event)), .textArray(rows.map(\.payload.text))]
    }

    package func decode(_ rows: SQLRows) throws -> [EmitAnswer] {
        guard rows.count == count else { throw SpawnStatement.wrongAnswer }
        return try rows.map(EmitAnswer.init)
    }
}
