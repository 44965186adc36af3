public enum Leftovers: Sendable {
    case drop, keep(in: KeptMailbox), handOver(to: Destination, tag: String)
}
public final class KeptMailbox: Sendable { public init() {} }
extension ProcessOptions {
    public var leftovers: Leftovers {
        get { .drop }
        set { _ = newValue }
    }
}
