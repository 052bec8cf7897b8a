/// When the connection of a statement is lost.
enum Moment: String, CaseIterable, Sendable {
    /// The statement is under way, and nothing of it stays.
    case beforeCommit
    /// The commit has happened on the server, which has not answered and will not.
    case withinCommit
    /// The server has answered, and the answer does not arrive.
    case afterCommit
}
