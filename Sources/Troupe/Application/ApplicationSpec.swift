//===----------------------------------------------------------------------===//
// Part of the Troupe project. Copyright the Troupe authors.
// SPDX-License-Identifier: Apache-2.0
//===----------------------------------------------------------------------===//

/// What an application is called, what it needs and what it is configured with.
///
/// - Source: OTP's application resource file.
public struct ApplicationSpec: Sendable {
    /// 1 to 255 Unicode scalars; unlike that of any other application of the node.
    public var name: String
    /// In words what it does.
    public var description: String
    /// Its version, in any format.
    public var version: String
    /// The applications that have to run before this one starts. OTP: `applications`.
    public var dependencies: [String]
    /// Applications that are loaded with this one, and whose processes it starts itself, as a part
    /// of its own tree: their ``Application/start(process:)`` is called by this one's, or not at all.
    /// Only their start phases and configuration changes are called by the library.
    public var includedApplications: [any Application]
    /// The configuration, seen by all processes of the application. What was set persistently comes
    /// before it.
    public var environment: Environment
    /// What is done after the top process has started, in this order: first by this application,
    /// then by those included applications that name the phase, too.
    public var startPhases: [String]

    /// Makes a specification.
    public init(
        name: String,
        description: String = "",
        version: String = "",
        dependencies: [String] = [],
        includedApplications: [any Application] = [],
        environment: Environment = Environment(),
        startPhases: [String] = []
    ) {
        self.name = name
        self.description = description
        self.version = version
        self.dependencies = dependencies
        self.includedApplications = includedApplications
        self.environment = environment
        self.startPhases = startPhases
    }
}

/// What can be wrong with an ``ApplicationSpec``.
@nonexhaustive
public enum ApplicationSpecMistake: Hashable, Sendable, CustomStringConvertible {
    /// A name has 1 to 255 Unicode scalars.
    case nameInvalid(String)
    /// The application names itself as a dependency.
    case dependsOnItself(String)
    /// A dependency is named twice.
    case dependencyTwice(String, of: String)
    /// An application that is included cannot be started before the one that includes it.
    case dependsOnIncluded(String, of: String)
    /// An application is included twice, or includes itself.
    case includedTwice(String)
    /// A start phase is named twice.
    case phaseTwice(String, of: String)

    /// What is wrong and what to do about it.
    public var description: String {
        switch self {
        case .nameInvalid(let name):
            "the name \"\(name.prefix(32))\" does not have 1 to 255 characters"
        case .dependsOnItself(let name):
            "\"\(name)\" depends on itself; take it out of its dependencies"
        case .dependencyTwice(let name, let owner):
            "\"\(owner)\" names the dependency \"\(name)\" twice"
        case .dependsOnIncluded(let name, let owner):
            "\"\(owner)\" depends on \"\(name)\", which is included; it can be only one of these"
        case .includedTwice(let name):
            "\"\(name)\" is included twice or includes itself; include it in one place"
        case .phaseTwice(let phase, let owner):
            "\"\(owner)\" names the start phase \"\(phase)\" twice"
        }
    }
}

/// An application as it was loaded: what it says of itself does not change any more.
struct LoadedApplication: Sendable {
    let application: any Application
    let spec: ApplicationSpec
    /// Those that it includes, and those that they include: top-down.
    let included: [LoadedApplication]

    /// Reads the specifications, and finds everything that is wrong with them.
    init(_ application: any Application) throws(ApplicationError) {
        var mistakes: [ApplicationSpecMistake] = []
        var names: Set<String> = []
        let loaded = Self.read(application, &names, &mistakes)
        self = LoadedApplication(
            application: application, spec: loaded[0].spec, included: Array(loaded.dropFirst()))
        for each in all {
            for name in each.spec.dependencies where names.contains(name) {
                mistakes.append(
                    name == each.spec.name
                        ? .dependsOnItself(name) : .dependsOnIncluded(name, of: each.spec.name))
            }
        }
        if !mistakes.isEmpty { throw .specInvalid(spec.name, mistakes) }
    }

    private init(application: any Application, spec: ApplicationSpec, included: [Self]) {
        self.application = application
        self.spec = spec
        self.included = included
    }

    /// The application itself and all that it includes, top-down.
    var all: [LoadedApplication] { [self] + included }

    private static func read(
        _ application: any Application, _ names: inout Set<String>,
        _ mistakes: inout [ApplicationSpecMistake]
    ) -> [LoadedApplication] {
        let spec = application.spec
        let own = LoadedApplication(application: application, spec: spec, included: [])
        guard names.insert(spec.name).inserted else {
            mistakes.append(.includedTwice(spec.name))
            return [own]
        }
        if !NameRegistry.isValid(spec.name) { mistakes.append(.nameInvalid(spec.name)) }
        mistakes += repeated(spec.dependencies).map { .dependencyTwice($0, of: spec.name) }
        mistakes += repeated(spec.startPhases).map { .phaseTwice($0, of: spec.name) }
        return [own] + spec.includedApplications.flatMap { read($0, &names, &mistakes) }
    }

    private static func repeated(_ names: [String]) -> [String] {
        var seen: Set<String> = []
        return names.filter { !seen.insert($0).inserted }
    }
}
