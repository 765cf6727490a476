//! The facts as numbers: every application that is named anywhere has an [`Id`]. Ids are in
//! alphabetical order, so that ordering ids is ordering names.

use super::{Facts, Specification};
use crate::application::{Application, FileError};
use crate::term::Atom;
use foldhash::{HashMap, HashMapExt as _, HashSet, HashSetExt as _};

/// An application, by its index in the alphabetical order.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Id(u32);

impl Id {
    /// The id of the name with this index.
    pub fn new(index: usize) -> Self {
        Self(u32::try_from(index).expect("fewer applications than fit into memory"))
    }

    /// The index.
    pub fn index(self) -> usize {
        self.0 as usize
    }
}

/// Whether an application is loaded or can be.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Source {
    /// It is loaded.
    Loaded,
    /// Its specification is known.
    Disk,
    /// There is no specification.
    #[default]
    Gone,
    /// Its files cannot be used.
    Unusable,
}

/// An application.
#[derive(Clone, Debug, Default)]
pub struct Node {
    pub source: Source,
    /// `applications` as the package and the administrator define it.
    pub applications: Vec<Id>,
    /// `applications` as application_controller has it, if it was rewritten.
    pub current: Option<Vec<Id>>,
    /// Without duplicates.
    pub included: Vec<Id>,
    /// Sorted.
    pub optional: Vec<Id>,
}

impl Node {
    /// `applications` as application_controller has it.
    pub fn current(&self) -> &[Id] {
        self.current.as_deref().unwrap_or(&self.applications)
    }

    /// Whether `dependency` is optional for it.
    pub fn is_optional(&self, dependency: Id) -> bool {
        self.optional.binary_search(&dependency).is_ok()
    }
}

/// All applications.
pub struct World {
    names: Vec<Atom>,
    ids: HashMap<Atom, Id>,
    nodes: Vec<Node>,
    specifications: Vec<Specification>,
}

impl World {
    /// The applications in `facts`, and `others`.
    pub fn new(facts: &mut Facts, others: &[&Application]) -> Self {
        let found = std::mem::take(&mut facts.specifications);
        let mut names = Names::with_capacity(found.len() + facts.loaded.len());
        // The sorted ones first.
        let ids: Vec<Id> = found.iter().map(|(name, _)| names.id(name)).collect();
        let specified = found.iter().map(|(_, found)| names.specified(found));
        let mut nodes: Vec<(Id, Node)> = ids.into_iter().zip(specified).collect();
        for loaded in &facts.loaded {
            let original = facts
                .original
                .get(&loaded.name)
                .unwrap_or(&loaded.applications);
            let node = Node {
                source: Source::Loaded,
                applications: names.ids(original),
                current: (*original != loaded.applications)
                    .then(|| names.ids(&loaded.applications)),
                included: names.ids(&loaded.included_applications),
                optional: names.ids(&loaded.optional_applications),
            };
            nodes.push((names.id(&loaded.name), node));
        }
        for name in facts
            .running
            .iter()
            .chain(&facts.registered)
            .chain(&facts.stopped)
        {
            names.id(name);
        }
        for other in others {
            names.id(&other.name);
            names.node(other, Source::Loaded);
        }
        names.into_world(nodes, found)
    }

    /// The number of applications.
    pub fn len(&self) -> usize {
        self.nodes.len()
    }

    /// All applications, in alphabetical order.
    pub fn ids(&self) -> impl DoubleEndedIterator<Item = Id> + use<> {
        (0..self.nodes.len()).map(Id::new)
    }

    /// The application with this name.
    pub fn id(&self, name: &Atom) -> Option<Id> {
        self.ids.get(name).copied()
    }

    /// The name of an application.
    pub fn name(&self, id: Id) -> &Atom {
        &self.names[id.index()]
    }

    /// The names of applications.
    pub fn names(&self, ids: &[Id]) -> Vec<Atom> {
        ids.iter().map(|id| self.name(*id).clone()).collect()
    }

    /// An application.
    pub fn node(&self, id: Id) -> &Node {
        &self.nodes[id.index()]
    }

    /// An application, to be changed.
    pub fn node_mut(&mut self, id: Id) -> &mut Node {
        &mut self.nodes[id.index()]
    }

    /// Whether an application is loaded or can be.
    pub fn is_usable(&self, id: Id) -> bool {
        matches!(self.node(id).source, Source::Loaded | Source::Disk)
    }

    /// Replaces what is known of an application by its new specification.
    pub fn specify(&mut self, application: &Application) {
        let id = |name: &Atom| self.ids.get(name).copied();
        let ids = |names: &[Atom]| names.iter().filter_map(id).collect::<Vec<_>>();
        let node = Node {
            source: Source::Loaded,
            applications: ids(&application.applications),
            current: None,
            included: ids(&application.included_applications),
            optional: ids(&application.optional_applications),
        };
        if let Some(id) = id(&application.name) {
            self.nodes[id.index()] = node.normalized();
        }
    }

    /// Marks an application as loaded, and returns the specification to load.
    pub fn load(&mut self, id: Id) -> Option<(Box<Application>, String)> {
        let specification = &mut self.specifications[id.index()];
        match std::mem::take(specification) {
            Specification::Found { application, ebin } => {
                let node = &mut self.nodes[id.index()];
                node.source = Source::Loaded;
                node.current = None;
                Some((application, ebin))
            }
            other => {
                *specification = other;
                None
            }
        }
    }

    /// Why an application is not usable.
    pub fn fault(&self, id: Id) -> FileError {
        let name = self.name(id);
        match &self.specifications[id.index()] {
            Specification::Unusable(error) => error.clone(),
            _ => FileError::NotFound {
                file: format!("{name}.app"),
            },
        }
    }
}

impl Node {
    fn normalized(mut self) -> Self {
        self.optional.sort_unstable();
        self.optional.dedup();
        if self.included.len() > 1 {
            let mut seen = HashSet::new();
            self.included.retain(|id| seen.insert(*id));
        }
        self
    }
}

/// Names in the order in which they were met; their ids are indices into that order until the world
/// is made.
#[derive(Default)]
struct Names {
    names: Vec<Atom>,
    ids: HashMap<Atom, Id>,
}

impl Names {
    fn with_capacity(count: usize) -> Self {
        Self {
            names: Vec::with_capacity(count),
            ids: HashMap::with_capacity(count),
        }
    }

    fn id(&mut self, name: &Atom) -> Id {
        if let Some(id) = self.ids.get(name) {
            return *id;
        }
        let id = Id::new(self.names.len());
        self.names.push(name.clone());
        self.ids.insert(name.clone(), id);
        id
    }

    fn ids(&mut self, names: &[Atom]) -> Vec<Id> {
        names.iter().map(|name| self.id(name)).collect()
    }

    fn node(&mut self, application: &Application, source: Source) -> Node {
        Node {
            source,
            applications: self.ids(&application.applications),
            current: None,
            included: self.ids(&application.included_applications),
            optional: self.ids(&application.optional_applications),
        }
    }

    fn specified(&mut self, specification: &Specification) -> Node {
        match specification {
            Specification::Found { application, .. } => self.node(application, Source::Disk),
            Specification::Gone => Node::default(),
            Specification::Unusable(_) => Node {
                source: Source::Unusable,
                ..Node::default()
            },
        }
    }

    fn into_world(self, known: Vec<(Id, Node)>, found: Vec<(Atom, Specification)>) -> World {
        let mut by_name: Vec<usize> = (0..self.names.len()).collect();
        // A stable sort is fast where parts are sorted already.
        by_name.sort_by(|a, b| self.names[*a].cmp(&self.names[*b]));
        let mut place = vec![Id::new(0); by_name.len()];
        for (rank, met) in by_name.iter().enumerate() {
            place[*met] = Id::new(rank);
        }
        let mut specifications = Vec::new();
        specifications.resize_with(place.len(), Specification::default);
        for ((id, _), (_, specification)) in known.iter().zip(found) {
            specifications[place[id.index()].index()] = specification;
        }
        let mut nodes = vec![Node::default(); place.len()];
        for (id, mut node) in known {
            let lists = [
                &mut node.applications,
                &mut node.included,
                &mut node.optional,
            ];
            for id in lists
                .into_iter()
                .flatten()
                .chain(node.current.iter_mut().flatten())
            {
                *id = place[id.index()];
            }
            nodes[place[id.index()].index()] = node.normalized();
        }
        let mut ids = self.ids;
        ids.values_mut().for_each(|id| *id = place[id.index()]);
        let names = by_name
            .into_iter()
            .map(|met| self.names[met].clone())
            .collect();
        World {
            names,
            ids,
            nodes,
            specifications,
        }
    }
}
