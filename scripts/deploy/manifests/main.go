// Reads manifests from standard input as a Kubernetes API server does: strict decoding, defaults, validation, and Pod Security at
// the level "restricted". It is made of Kubernetes's own packages: see "manifests" in scripts/deploy.sh. Exit code 1: one is wrong.
package main

import (
	"bufio"
	"bytes"
	"errors"
	"fmt"
	"io"
	"os"

	appsv1 "k8s.io/api/apps/v1"
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/apimachinery/pkg/runtime/serializer/json"
	"k8s.io/apimachinery/pkg/util/validation/field"
	"k8s.io/apimachinery/pkg/util/yaml"
	"k8s.io/kubernetes/pkg/apis/apps"
	appsinstall "k8s.io/kubernetes/pkg/apis/apps/install"
	appsvalidation "k8s.io/kubernetes/pkg/apis/apps/validation"
	"k8s.io/kubernetes/pkg/apis/core"
	coreinstall "k8s.io/kubernetes/pkg/apis/core/install"
	corevalidation "k8s.io/kubernetes/pkg/apis/core/validation"
	"k8s.io/kubernetes/pkg/apis/networking"
	netinstall "k8s.io/kubernetes/pkg/apis/networking/install"
	netvalidation "k8s.io/kubernetes/pkg/apis/networking/validation"
	"k8s.io/kubernetes/pkg/apis/policy"
	policyinstall "k8s.io/kubernetes/pkg/apis/policy/install"
	policyvalidation "k8s.io/kubernetes/pkg/apis/policy/validation"
	"k8s.io/pod-security-admission/api"
	security "k8s.io/pod-security-admission/policy"
)

func main() {
	scheme := runtime.NewScheme()
	coreinstall.Install(scheme)
	appsinstall.Install(scheme)
	policyinstall.Install(scheme)
	netinstall.Install(scheme)
	options := json.SerializerOptions{Yaml: true, Strict: true}
	strict := json.NewSerializerWithOptions(json.DefaultMetaFactory, scheme, scheme, options)
	documents := yaml.NewYAMLReader(bufio.NewReader(os.Stdin))
	checked, wrong := 0, 0
	for {
		document, err := documents.Read()
		if errors.Is(err, io.EOF) {
			break
		}
		if err == nil && !bytes.Contains(document, []byte("kind:")) {
			continue
		}
		var problems []string
		if err == nil {
			var object runtime.Object
			if object, _, err = strict.Decode(document, nil, nil); err == nil {
				problems, err = validate(scheme, object)
			}
		}
		if err != nil {
			problems = append(problems, err.Error())
		}
		checked++
		for _, problem := range problems {
			fmt.Println(problem)
			wrong++
		}
	}
	fmt.Printf("%d manifests, %d problems\n", checked, wrong)
	if wrong > 0 || checked == 0 {
		os.Exit(1)
	}
}

// What an API server says of an object of the chart; an error where it is of a kind that this program does not know.
func validate(scheme *runtime.Scheme, object runtime.Object) ([]string, error) {
	named, ok := object.(metav1.Object)
	if !ok {
		return nil, fmt.Errorf("%T has no metadata", object)
	}
	named.SetNamespace("media")
	scheme.Default(object)
	var template *corev1.PodTemplateSpec
	var into runtime.Object
	var found func() field.ErrorList
	switch each := object.(type) {
	case *appsv1.StatefulSet:
		template = &each.Spec.Template
		to := &apps.StatefulSet{}
		into, found = to, func() field.ErrorList {
			return appsvalidation.ValidateStatefulSet(to, corevalidation.PodValidationOptions{})
		}
	case *appsv1.Deployment:
		template = &each.Spec.Template
		to := &apps.Deployment{}
		into, found = to, func() field.ErrorList {
			return appsvalidation.ValidateDeployment(to, corevalidation.PodValidationOptions{})
		}
	case *corev1.Service:
		allocate(each)
		to := &core.Service{}
		into, found = to, func() field.ErrorList { return corevalidation.ValidateServiceCreate(to) }
	default:
		switch object.GetObjectKind().GroupVersionKind().Kind {
		case "PodDisruptionBudget":
			to := &policy.PodDisruptionBudget{}
			into, found = to, func() field.ErrorList {
				return policyvalidation.ValidatePodDisruptionBudget(to, policyvalidation.PodDisruptionBudgetValidationOptions{})
			}
		case "NetworkPolicy":
			to := &networking.NetworkPolicy{}
			into, found = to, func() field.ErrorList {
				return netvalidation.ValidateNetworkPolicy(to, netvalidation.NetworkPolicyValidationOptions{})
			}
		default:
			return nil, fmt.Errorf("%T is not known here", object)
		}
	}
	if err := scheme.Convert(object, into, nil); err != nil {
		return nil, err
	}
	var problems []string
	for _, each := range found() {
		problems = append(problems, fmt.Sprintf("%s: %s", named.GetName(), each))
	}
	if template != nil {
		problems = append(problems, unrestricted(named.GetName(), template)...)
	}
	return problems, nil
}

// What an API server allocates before it validates.
func allocate(service *corev1.Service) {
	address := service.Spec.ClusterIP
	if address == "" {
		address = "10.96.0.10"
	}
	service.Spec.ClusterIP, service.Spec.ClusterIPs = address, []string{address}
	isLocal := service.Spec.ExternalTrafficPolicy == corev1.ServiceExternalTrafficPolicyLocal
	if isLocal && service.Spec.Type == corev1.ServiceTypeLoadBalancer {
		service.Spec.HealthCheckNodePort = 30000
	}
}

func unrestricted(name string, template *corev1.PodTemplateSpec) []string {
	evaluator, err := security.NewEvaluator(security.DefaultChecks())
	if err != nil {
		return []string{err.Error()}
	}
	level := api.LevelVersion{Level: api.LevelRestricted, Version: api.LatestVersion()}
	var problems []string
	for _, result := range evaluator.EvaluatePod(level, &template.ObjectMeta, &template.Spec) {
		if !result.Allowed {
			problems = append(problems, fmt.Sprintf("%s: not restricted: %s %s", name, result.ForbiddenReason, result.ForbiddenDetail))
		}
	}
	return problems
}
