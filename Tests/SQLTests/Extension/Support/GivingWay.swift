import LibPQ

/// What a caller does on 55P03 and 40P01: skip what is locked, then the rest one by one.
///
/// - Parameter send: Sends rows and returns their answers.
func givingWay<Row>(
    _ rows: [Row], _ send: (_ rows: [Row], _ wait: Bool) async throws -> [ExtensionQueue.Answer]
) async throws -> [String] {
    func attempt(_ rows: [Row], wait: Bool) async throws -> [String]? {
        do {
            return try await send(rows, wait).map(\.answer)
        } catch let error as PostgresError where ["55P03", "40P01"].contains(error.sqlState) {
            return nil
        }
    }
    if let answers = try await attempt(rows, wait: true) { return answers }
    var answers = try await attempt(rows, wait: false) ?? Array(repeating: "busy", count: rows.count)
    for index in answers.indices where answers[index] == "busy" {
        while answers[index] == "busy" {
            answers[index] = try await attempt([rows[index]], wait: true)?[0] ?? "busy"
        }
    }
    return answers
}
