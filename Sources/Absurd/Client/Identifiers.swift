#if canImport(FoundationEssentials)
public import FoundationEssentials
#else
public import Foundation
#endif

/// The identity of a task: a UUIDv7, unique in the database, whose order is that of spawning.
public struct TaskID: Hashable, Sendable {
    public let uuid: UUID
    public init(_ uuid: UUID) { self.uuid = uuid }
}

/// The identity of a run, one attempt at a task.
///
/// A run that sleeps or waits keeps it.
public struct RunID: Hashable, Sendable {
    public let uuid: UUID
    public init(_ uuid: UUID) { self.uuid = uuid }
}

/// What ``TaskID`` and ``RunID`` share: they are UUIDs, written in lower case as Postgres writes them.
public protocol DurableIdentifier: Hashable, Sendable, Codable, LosslessStringConvertible {
    var uuid: UUID { get }
    init(_ uuid: UUID)
}

extension DurableIdentifier {
    public init?(_ description: String) {
        guard let uuid = UUID(uuidString: description) else { return nil }
        self.init(uuid)
    }

    public var description: String { uuid.uuidString.lowercased() }

    public init(from decoder: any Decoder) throws {
        let text = try decoder.singleValueContainer().decode(String.self)
        guard let uuid = UUID(uuidString: text) else {
            throw DecodingError.dataCorrupted(
                .init(codingPath: decoder.codingPath, debugDescription: "not a UUID"))
        }
        self.init(uuid)
    }

    public func encode(to encoder: any Encoder) throws {
        var container = encoder.singleValueContainer()
        try container.encode(description)
    }
}

extension TaskID: DurableIdentifier {}
extension RunID: DurableIdentifier {}
